"use strict";

// The reading of a drawing by a net, and whether it is in doubt, as in
// rnn_native.recognizer.reading.

const LEAST_PIXELS = 14, MOST_PIXELS = 285, FULLEST = 0.8, MOST_MARKS = 3, LEAST_SURE = 0.65;

/** {label, probabilities, doubt}; label is null when there is nothing that could be one. */
function readDrawing(nets, image, names, areDigits) {
  const nothing = { label: null, probabilities: new Float32Array(names.length) };
  const nonsense = nonsenseOf(image, areDigits);
  if (nonsense) return { ...nothing, doubt: nonsense };
  if (nets.guard && predict(nets.guard.nets, image).at(-1) > nets.guard.threshold) {
    return { ...nothing, doubt: areDigits ? "not a digit" : "not a character" };
  }
  // A net that learned values instead of classes may leave [0, 1].
  const probabilities = predict(nets, image).map((p) => Math.min(1, Math.max(0, p)));
  return { label: ranked(probabilities)[0], probabilities, doubt: doubtOf(probabilities, names) };
}

/** One reading of several: no label, but the answer of all, in doubt where one of them is. */
function severalOf(parts, names) {
  const answer = parts.map(({ label, doubt }) => names[label] + (doubt ? "?" : "")).join("");
  const doubt = `${parts.length} characters: ${answer}`;
  return { label: null, probabilities: new Float32Array(names.length), doubt, answer };
}

/** Why the likeliest class may be wrong, or nothing. */
function doubtOf(probabilities, names) {
  const [first, second] = ranked(probabilities);
  const isSure = probabilities[first] >= LEAST_SURE || second === undefined;
  return isSure ? "" : `not sure: ${names[first]} or ${names[second]}`;
}

/** Places of values, the greatest first. */
function ranked(values) {
  return [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);
}

/** Why a picture cannot be a digit, or of another character only whether there is any ink. */
function nonsenseOf(image, areDigits) {
  const mask = image.map((value) => (value > 0.25 ? 1 : 0));
  const inked = [...mask.keys()].filter((i) => mask[i]);
  if (inked.length === 0) return "nothing drawn";
  if (!areDigits) return "";
  const [height, width] = [(i) => Math.floor(i / SIDE), (i) => i % SIDE].map((place) => {
    const places = inked.map(place);
    return Math.max(...places) - Math.min(...places) + 1;
  });
  if (inked.length < LEAST_PIXELS || Math.max(height, width) < 8) return "only a dot";
  const isFull = Math.min(height, width) > 8 && inked.length > FULLEST * height * width;
  if (isFull || inked.length > MOST_PIXELS) return "too much ink for a digit";
  if (marksIn(mask) > MOST_MARKS) return "several separate marks";
  return "";
}

/** The number of connected marks of a mask, diagonals included. */
function marksIn(mask) {
  const left = mask.slice();
  let count = 0;
  for (let start = 0; start < left.length; start++) {
    if (!left[start]) continue;
    count++;
    const waiting = [start];
    left[start] = 0;
    while (waiting.length > 0) {
      for (const neighbor of neighborsOf(waiting.pop())) {
        if (left[neighbor]) {
          left[neighbor] = 0;
          waiting.push(neighbor);
        }
      }
    }
  }
  return count;
}

function neighborsOf(at) {
  const row = Math.floor(at / SIDE), column = at % SIDE, found = [];
  for (let y = Math.max(0, row - 1); y <= Math.min(SIDE - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(SIDE - 1, column + 1); x++) {
      found.push(y * SIDE + x);
    }
  }
  return found;
}
