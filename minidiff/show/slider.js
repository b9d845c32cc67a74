// The browser's half of slider.py: a range of the browser's own, with a name, and a button that plays. The range counts
// steps from the lowest value, so that no rounding of a step keeps the highest one out of reach.
function render({ model, el }) {
    const [low, high, step, interval] = ["min", "max", "step", "interval"].map(key => model.get(key));
    const range = document.createElement("input"), label = document.createElement("label");
    const shown = document.createElement("span"), play = document.createElement("button");
    Object.assign(range, { type: "range", min: 0, max: Math.floor((high - low) / step + 1e-9), step: 1 });
    Object.assign(range.style, { width: "220px", margin: "0 8px", verticalAlign: "middle", accentColor: "#4477AA" });
    Object.assign(play, { type: "button", textContent: "Play" });
    Object.assign(play.style, { width: "4em", marginRight: "8px" });
    Object.assign(shown.style, { minWidth: "3em" });
    Object.assign(el.style, { display: "flex", alignItems: "center", minHeight: "32px" });
    shown.setAttribute("aria-hidden", "true"); // the range says it itself
    for (const focused of [range, play]) {
        focused.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab takes the keys for its own
    }
    label.append(model.get("description"), range);

    function read() {
        const at = model.get("value");
        range.value = Math.round((at - low) / step);
        shown.textContent = Number.isInteger(at) ? at : Number(at.toPrecision(3));
        range.setAttribute("aria-valuetext", model.get("texts")[at] ?? shown.textContent);
    }

    function move(place) {
        model.set("value", Number((low + step * place).toPrecision(12)));
        model.save_changes();
    }

    let clock = null;
    function stop() {
        clearInterval(clock);
        clock = null;
        play.textContent = "Play";
    }

    play.addEventListener("click", () => {
        if (clock) return stop();
        play.textContent = "Pause";
        if (range.value === range.max) move(0);
        clock = setInterval(() => range.value === range.max ? stop() : move(Number(range.value) + 1), interval);
    });
    range.addEventListener("input", () => move(range.value));
    model.on("change:value", read);
    read();
    el.append(...(interval ? [play] : []), label, shown); // complete, since some readers look once, when it appears
    return () => {
        stop();
        model.off("change:value", read);
    };
}

export default { render };
