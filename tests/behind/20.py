# %% opening
from minidiff.course import check_between

grounds = [one.ground for one in read_scenes(drawn)]
check_between("grounds as asked", float(grounds[5] == "sand" and grounds[6] == "grey"), 1, 1)
colours = [one.things[0].colour if one.things else "none" for one in read_scenes(drawn)]
asked_for = ["red", "yellow", "green", "black", "purple", "red", "orange", "blue", "cyan", "green", "black", "blue"]
check_between("pictures in which the largest thing has a colour of its prompt",
              sum(c in prompt for c, prompt in zip(colours, prompts)) / 12, 0.9, 1)

# %% judge
from minidiff.course import check

check("scenes read back", met(render(examples), examples), 1, atol=0)

# %% follow
from minidiff.course import check_between

check_between("one thing, at its best", max(found["one"]), 0.7, 1)
check_between("told where they stand, at its best", [max(found[kind]) for kind in ("pair", "mixed")], 0.85, 1)

# %% curves
from minidiff.course import check_that

lines = plots.plotted(ax)
check_that("five curves", len(lines) == 5)
check_that("the spread falls with guidance", lines["spread of places, over that of real scenes"][-1] < lines["spread of places, over that of real scenes"][0])

# %% edit-drawn
from minidiff.course import check_between

check_between("halves that show the colour asked for",
              sum(any(t.colour == a.split()[-2] for t in one.things) for one, a in zip(read_scenes(pictures), asks)) / 4, 0.75, 1)

# %% switch-table
from minidiff.course import check_between

star, ring = found["a green star"], found["a blue ring"]
check_between("switched early, the second prompt wins", [star[0], ring[0]], 0.6, 1)
check_between("switched at 0.5, the shape stays", star[2], 0, 0.3)
check_between("and the colour follows", ring[2], 0.6, 1)
