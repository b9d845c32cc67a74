# %% lora-put
from minidiff.course import check_that

check_that("nothing but the adapters is trained", count == sum(p.numel() for p in adapted.parameters() if p.requires_grad))
check_that("the model itself is as it was", not any(isinstance(part, LoRA) for part in model.modules()))

# %% lora-judge
from minidiff.course import check_between, check_that

check_between("on sand, half the strength", on_sand(rows[1]), on_sand(rows[0]), on_sand(rows[2]))
same = [torch.equal(a.state_dict()[k.replace(".layer", "")], v)
        for a, b in ((model.net, adapted.net),) for k, v in b.state_dict().items() if ".a." not in k and ".b." not in k]
check_that("no old weight was changed", all(same))

# %% control-train
from minidiff.course import check_that

old, new = model.net.state_dict(), control.net.net.state_dict()
check_that("the frozen model is as it was", all(torch.equal(old[k], new[k]) for k in old))

# %% quarrel
from minidiff.course import check_between

check_between("overlap of what another's sketch gave with the own things", overlap(torn, real), 0, 0.5)
