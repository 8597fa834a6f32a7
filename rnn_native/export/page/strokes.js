"use strict";

// Strokes as MNIST would have them: what rnn_native.recognizer.preprocessing.from_strokes does,
// to the same pixels. Points and places are doubles; distances are rounded to float32 after
// each operation, as NumPy's are.
//
// A stroke is {points: [[x, y], ...], width}: y downwards, one point is a dot. An image is a
// Float32Array of SIDE x SIDE in [0, 1], white on black.

const SIDE = 28, LONGER_SIDE = 20, PEN = 2.2;
const SAMPLES = 4; // along a pixel's side

/** Draw strokes whatever their size, place and pen: the longer side is 20 pixels. */
function fromStrokes(strokes) {
  if (strokes.length === 0) return new Float32Array(SIDE * SIDE);
  const points = strokes.flatMap((stroke) => stroke.points);
  const [low, high] = [Math.min, Math.max].map((end) =>
    [0, 1].map((axis) => points.reduce((best, point) => end(best, point[axis]), points[0][axis])));
  // A line that is hardly longer than its pen is wide is a dot: it is not blown up.
  const widths = strokes.map((stroke) => stroke.width);
  const extent = Math.max(high[0] - low[0], high[1] - low[1], ...widths);
  const scale = (LONGER_SIDE - PEN) / extent;
  const shift = [0, 1].map((axis) => SIDE / 2 - (scale * (low[axis] + high[axis])) / 2);
  const moved = strokes.map((stroke) =>
    stroke.points.map((point) => point.map((value, axis) => scale * value + shift[axis])));
  return centered(toPeak(rasterized(moved, PEN)));
}

/** Each pixel's share of sample points that lie within half a pen's width of a line. */
function rasterized(lines, width) {
  const side = SIDE * SAMPLES, inked = new Uint8Array(side * side);
  for (const line of lines) {
    // Sample (i, j) is at (j + 1, i + 1): Python's grid has a frame, and so rounds the same.
    const places = line.map((point) => point.map((value) => value * SAMPLES + 0.5));
    for (const piece of pieces(places)) inkPiece(inked, side, piece, (width / 2) * SAMPLES);
  }
  const image = new Float32Array(SIDE * SIDE);
  inked.forEach((value, i) => {
    const row = Math.floor(i / side / SAMPLES), column = Math.floor((i % side) / SAMPLES);
    image[row * SIDE + column] += value / (SAMPLES * SAMPLES);
  });
  return image;
}

/** A polyline as straight pieces {x, y, dx, dy}: start and direction. */
function pieces(points) {
  if (points.length === 1) return [{ x: points[0][0], y: points[0][1], dx: 0, dy: 0 }];
  const longest = Math.max(4, (PEN / 2) * SAMPLES);
  return points.slice(1).flatMap(([x1, y1], i) => {
    const [x0, y0] = points[i];
    const count = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / longest));
    const dx = (x1 - x0) / count, dy = (y1 - y0) / count;
    return Array.from({ length: count }, (_, n) => ({ x: x0 + n * dx, y: y0 + n * dy, dx, dy }));
  });
}

/** Set the samples that are within `radius` of a piece. */
function inkPiece(inked, side, piece, radius) {
  const f = Math.fround, dx = f(piece.dx), dy = f(piece.dy);
  const squared = Math.max(f(f(dx * dx) + f(dy * dy)), f(1e-12)), nearest = f(radius * radius);
  const range = (from, step) => [
    Math.max(0, Math.floor(Math.min(from, from + step) - radius) - 1),
    Math.min(side - 1, Math.ceil(Math.max(from, from + step) + radius)),
  ];
  const [top, bottom] = range(piece.y, piece.dy), [left, right] = range(piece.x, piece.dx);
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const x = f(column + 1 - piece.x), y = f(row + 1 - piece.y);
      // How far along the piece, from 0 to 1, its point nearest to the sample lies.
      const reach = f(f(f(x * dx) + f(y * dy)) / squared);
      const along = Math.min(1, Math.max(0, reach));
      const offX = f(x - f(along * dx)), offY = f(y - f(along * dy));
      if (f(f(offX * offX) + f(offY * offY)) <= nearest) inked[row * side + column] = 1;
    }
  }
}

/** The image with its greatest value at 1. */
function toPeak(image) {
  const top = image.reduce((a, b) => Math.max(a, b));
  return top > 0 ? image.map((value) => value / top) : image;
}

/** Move an image by whole pixels: its center of mass to [13.5, 14.5) both ways. */
function centered(image) {
  const moved = new Float32Array(SIDE * SIDE);
  const mass = image.reduce((sum, value) => sum + value, 0);
  if (mass === 0) return moved;
  const places = [(i) => Math.floor(i / SIDE), (i) => i % SIDE];
  const [dy, dx] = places.map((place) => {
    let moment = 0, first = SIDE, last = 0;
    image.forEach((value, i) => {
      if (value === 0) return;
      moment += value * place(i);
      first = Math.min(first, place(i));
      last = Math.max(last, place(i));
    });
    const wanted = Math.ceil(SIDE / 2 - 0.5 - moment / mass);
    return Math.min(Math.max(wanted, -first), SIDE - 1 - last); // ink stays on it
  });
  image.forEach((value, i) => {
    if (value > 0) moved[i + dy * SIDE + dx] = value;
  });
  return moved;
}

/** Strokes parted where a column is free of ink, from left to right: several digits. */
function inColumns(strokes) {
  const spans = strokes.map((stroke) => {
    const across = stroke.points.map((point) => point[0]);
    return { stroke, left: Math.min(...across), right: Math.max(...across) };
  });
  const groups = [];
  let end = -Infinity;
  for (const { stroke, left, right } of spans.sort((a, b) => a.left - b.left)) {
    // Lines are as wide as the pen; what nearly touches belongs together.
    if (left - end > 1.5 * stroke.width) groups.push([]);
    groups.at(-1).push(stroke);
    end = Math.max(end, right);
  }
  return groups;
}
