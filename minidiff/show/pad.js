// The browser's half of pad.py: a canvas, a button and a line of text. `drawing` holds what Python reads: the 28 x 28
// bytes of a doodle, row by row, or two 32-bit floats a point, x and y.
const SIDE = 28, SIZE = 280, BRUSH = 1.6, REACH = 0.04; // pixels of a doodle, of the canvas, half a stroke; a grasp
const INK = "#4477AA", CURSOR = "#EE6677";
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
    doodle: "Arrows move, space draws, shift + arrows draw a line, backspace erases. Mouse: shift erases.",
    points: "Arrows move, space adds a point, backspace removes the nearest. Mouse: drag one, shift removes.",
};

function element(kind, given, style, ...children) {
    const made = Object.assign(document.createElement(kind), given);
    Object.assign(made.style, style);
    made.append(...children);
    return made;
}

function render({ model, el }) {
    const kind = model.get("kind"), limit = model.get("limit"), doodle = kind === "doodle";
    const help = element("div", { id: `pad-${model.get("_anywidget_id")}-${Math.random()}`, textContent: KEYS[kind] });
    const canvas = element("canvas", { width: SIZE, height: SIZE, tabIndex: 0 },
                           { touchAction: "none", cursor: "crosshair", outlineOffset: "1px", display: "block" });
    canvas.setAttribute("role", "application"); // a screen reader hands the keys over
    canvas.setAttribute("aria-label", doodle ? "doodle to draw" : "points in the plane to draw");
    canvas.setAttribute("aria-describedby", help.id);
    const clear = element("button", { type: "button", textContent: "Clear" }, { margin: "6px 8px 0 0" });
    const said = element("span", {}, {});
    said.setAttribute("role", "status");
    const box = element("div", {}, { padding: "4px", maxWidth: "420px" }, canvas, clear, said, help);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "drawing pad");
    for (const focused of [canvas, clear]) {
        focused.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab takes the keys for its own
    }
    el.append(box);

    const ink = canvas.getContext("2d"), step = doodle ? 1 / SIDE : 1 / 40;
    let drawing, at = doodle ? [14.5 / SIDE, 14.5 / SIDE] : [0.5, 0.5], held = null; // places: in [0, 1], y downwards
    const within = (value, edge = 0) => Math.min(Math.max(value, edge), 1 - edge);
    const shown = value => value.toFixed(2);
    const plane = ([u, v]) => [(2 * u - 1) * limit, (1 - 2 * v) * limit];
    const place = k => [(drawing[2 * k] / limit + 1) / 2, (1 - drawing[2 * k + 1] / limit) / 2];

    function read() {
        const view = model.get("drawing");
        const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
        drawing = doodle ? bytes : new Float32Array(bytes.buffer);
        paint();
    }

    function save(changed) {
        drawing = changed;
        model.set("drawing", new DataView(changed.buffer.slice(0)));
        model.save_changes();
        paint();
    }

    function paint() {
        ink.fillStyle = doodle ? "black" : "white";
        ink.fillRect(0, 0, SIZE, SIZE);
        const [x, y] = [SIZE * at[0], SIZE * at[1]], cell = SIZE / SIDE;
        if (doodle) {
            drawing.forEach((grey, i) => {
                ink.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
                if (grey) ink.fillRect(cell * (i % SIDE), cell * Math.floor(i / SIDE), cell, cell);
            });
        } else {
            ink.fillStyle = "#909090";
            ink.fillRect(SIZE / 2, 0, 1, SIZE);
            ink.fillRect(0, SIZE / 2, SIZE, 1);
            ink.fillStyle = "#555555";
            ink.fillText(`${-limit}`, 3, SIZE / 2 + 12);
            ink.fillText(`${limit}`, SIZE - 3 - ink.measureText(`${limit}`).width, SIZE / 2 + 12);
            ink.fillStyle = INK;
            for (let k = 0; k < drawing.length / 2; k++) {
                const [u, v] = place(k);
                ink.beginPath();
                ink.arc(SIZE * u, SIZE * v, 4, 0, 7);
                ink.fill();
            }
        }
        const focused = document.activeElement === canvas;
        canvas.style.outline = focused ? `3px solid ${CURSOR}` : "1px solid #777777";
        ink.strokeStyle = CURSOR;
        ink.lineWidth = 2;
        if (focused) ink.strokeRect(x - cell / 2, y - cell / 2, cell, cell);
    }

    function stroke(from, to, erase) { // the line between two places, soft at its edges
        const changed = drawing.slice(), [a, b, c, d] = [...from, ...to].map(value => SIDE * value);
        const [dx, dy] = [c - a, d - b], length = dx * dx + dy * dy;
        changed.forEach((grey, i) => {
            const [x, y] = [i % SIDE + 0.5 - a, Math.floor(i / SIDE) + 0.5 - b];
            const along = length ? within((x * dx + y * dy) / length) : 0;
            const value = Math.round(255 * within(BRUSH - Math.hypot(x - along * dx, y - along * dy)));
            changed[i] = erase ? Math.min(grey, 255 - value) : Math.max(grey, value);
        });
        save(changed);
    }

    function nearest(to) { // the number of the point that is nearest to a place, and how far it is
        let best = [-1, Infinity];
        for (let k = 0; k < drawing.length / 2; k++) {
            const [u, v] = place(k), far = Math.hypot(u - to[0], v - to[1]);
            if (far < best[1]) best = [k, far];
        }
        return best;
    }

    const without = k => drawing.filter((_, i) => Math.floor(i / 2) !== k);

    function add(to) { // where there is room for no more, the first makes it
        const rest = drawing.length / 2 >= model.get("most") ? without(0) : drawing;
        save(Float32Array.of(...rest, ...plane(to)));
        return drawing.length / 2 - 1;
    }

    function act(erase) { // what space and backspace do
        if (doodle) stroke(at, at, erase);
        else if (erase) save(without(nearest(at)[0]));
        else add(at);
    }

    function tell() {
        const [column, row] = at.map(value => Math.min(Math.floor(SIDE * value), SIDE - 1));
        const grey = Math.round(drawing[SIDE * row + column] / 2.55);
        const count = `${drawing.length / 2} point${drawing.length === 2 ? "" : "s"}`;
        said.textContent = doodle ? `row ${row + 1}, column ${column + 1}: ${grey} % white`
                                  : `at (${plane(at).map(shown).join(", ")}), ${count}`;
    }

    function here(event) {
        const frame = canvas.getBoundingClientRect();
        return [within((event.clientX - frame.left) / frame.width), within((event.clientY - frame.top) / frame.height)];
    }

    canvas.addEventListener("pointerdown", event => {
        if (event.button) return;
        canvas.focus();
        canvas.setPointerCapture(event.pointerId); // a stroke may leave the canvas
        at = here(event);
        if (doodle) {
            held = 0;
            stroke(at, at, event.shiftKey);
        } else {
            const [k, far] = nearest(at);
            if (!event.shiftKey) held = far < REACH ? k : add(at);
            else if (far < REACH) save(without(k));
        }
        tell();
    });
    canvas.addEventListener("pointermove", event => {
        if (held === null) return;
        const before = at;
        at = here(event);
        if (doodle) stroke(before, at, event.shiftKey);
        else save(drawing.map((value, i) => Math.floor(i / 2) === held ? plane(at)[i % 2] : value));
        tell();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
    canvas.addEventListener("keydown", event => {
        const move = MOVES[event.key], before = at;
        if (!move && event.key !== " " && event.key !== "Backspace") return; // Tab goes on to the button
        event.preventDefault();
        event.stopPropagation();
        if (!move) act(event.key === "Backspace");
        else at = at.map((value, i) => within(value + step * move[i], doodle ? step / 2 : 0));
        if (move && doodle && event.shiftKey) stroke(before, at, false);
        paint();
        tell();
    });
    canvas.addEventListener("focus", paint);
    canvas.addEventListener("blur", paint);
    clear.addEventListener("click", () => {
        save(doodle ? new Uint8Array(SIDE * SIDE) : new Float32Array(0));
        tell();
    });
    model.on("change:drawing", read);
    read();
    return () => model.off("change:drawing", read);
}

export default { render };
