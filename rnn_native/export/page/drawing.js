"use strict";

// A page to draw on: with mouse, finger, pen or keys.

const UNITS = 280; // the pad's side; points are in its unit, however large it is shown
const PEN_UNITS = 20;
const KEY_STEP = 8;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The pad: strokes, the one under way last, and the states that undo restores. */
class Drawing {
  constructor() {
    this.strokes = [];
    this.before = [];
    this.isDrawing = false;
  }

  begin(point) {
    this.before.push(this.strokes);
    this.strokes = [...this.strokes, { points: [point], width: PEN_UNITS }];
    this.isDrawing = true;
  }

  extend(point) {
    const points = this.strokes.at(-1).points, last = points.at(-1);
    if (last[0] !== point[0] || last[1] !== point[1]) points.push(point);
  }

  end() {
    this.isDrawing = false;
  }

  undo() {
    this.end();
    if (this.before.length > 0) this.strokes = this.before.pop();
  }

  clear() {
    this.end();
    if (this.strokes.length === 0) return;
    this.before.push(this.strokes);
    this.strokes = [];
  }
}

/** Draw strokes on the pad, and the place of the pen that keys move. */
function paintPad(pad, strokes, cursor) {
  const side = Math.round(pad.clientWidth * devicePixelRatio) || UNITS;
  if (pad.width !== side) pad.width = pad.height = side;
  const context = pad.getContext("2d");
  context.setTransform(side / UNITS, 0, 0, side / UNITS, 0, 0);
  context.clearRect(0, 0, UNITS, UNITS);
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "#fff";
  for (const { points, width } of strokes) {
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    context.stroke();
  }
  if (cursor) {
    context.strokeStyle = "#56b4e9";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(...cursor, PEN_UNITS / 2, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Start the page: nets that accept drawings, and what their outputs are called. */
function start(nets, { inputs, outputs }) {
  const pad = byId("pad"), drawing = new Drawing();
  const view = makeViewer(nets, [1, SIDE, SIDE], () => 0);
  let pointer = null, cursor = null, isWaiting = false;

  /** Read the pad and show the result. */
  function update(isFinished) {
    isWaiting = false;
    paintPad(pad, drawing.strokes, cursor);
    byId("hint").hidden = drawing.strokes.length > 0;
    byId("undo").disabled = drawing.before.length === 0;
    byId("clear").disabled = drawing.strokes.length === 0;
    const image = fromStrokes(drawing.strokes), { names } = outputs;
    const read = (one) => readDrawing(nets, one, names, inputs.digits);
    const parts = isFinished ? inColumns(drawing.strokes).map(fromStrokes).map(read) : [];
    const areSeveral = parts.length > 1 && parts.every((part) => part.label !== null);
    const reading = areSeveral ? severalOf(parts, names) : read(image);
    const sentence = showClasses(reading, names);
    view(image, reading.label, names[reading.label], isFinished);
    if (isFinished) announce(sentence);
  }

  /** Read again once for each picture of the screen: events come faster than they matter. */
  function updateSoon() {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => isWaiting && update(!drawing.isDrawing));
  }

  function placeOf(event) {
    const { left, top, width, height } = pad.getBoundingClientRect();
    return [((event.clientX - left) / width) * UNITS, ((event.clientY - top) / height) * UNITS];
  }

  pad.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    pad.setPointerCapture(pointer);
    cursor = null;
    drawing.begin(placeOf(event));
    updateSoon();
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer || !drawing.isDrawing) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) drawing.extend(placeOf(one));
    updateSoon();
  });
  for (const type of ["pointerup", "pointercancel"]) {
    pad.addEventListener(type, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      drawing.end();
      update(true);
    });
  }

  // ---- keys and buttons ----

  function moveCursor([dx, dy]) {
    const within = (value) => Math.min(UNITS - PEN_UNITS / 2, Math.max(PEN_UNITS / 2, value));
    const [x, y] = cursor ?? [UNITS / 2, UNITS / 2];
    cursor = [within(x + dx * KEY_STEP), within(y + dy * KEY_STEP)];
    if (drawing.isDrawing) drawing.extend(cursor);
    updateSoon();
  }

  function putDownOrLift() {
    cursor ??= [UNITS / 2, UNITS / 2];
    if (drawing.isDrawing) drawing.end();
    else drawing.begin(cursor);
    update(!drawing.isDrawing);
  }

  function change(method) {
    pointer = null;
    drawing[method]();
    update(true);
  }

  pad.addEventListener("keydown", (event) => {
    if (pointer !== null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (ARROWS[event.key]) moveCursor(ARROWS[event.key]);
    else if (event.key === " ") putDownOrLift();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
    if (undoes) change("undo");
    else if (event.key === "Delete" || event.key === "Escape") change("clear");
    else return;
    event.preventDefault();
  });
  byId("undo").addEventListener("click", () => change("undo"));
  byId("clear").addEventListener("click", () => change("clear"));
  new ResizeObserver(() => paintPad(pad, drawing.strokes, cursor)).observe(pad);
  update(false);
}
