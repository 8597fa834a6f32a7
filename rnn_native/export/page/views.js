"use strict";

// What the net sees, as a picture: plain, with what matters in it, or with its attention.

// As the package's saliency maps: orange speaks for the class, blue against it.
const FOR = [230, 159, 0], AGAINST = [86, 180, 233], OPACITY = 0.85;

/** Paint an image of [channels, height, width] in [0, 1], and a map in [-1, 1] above it. */
function paintImage(canvas, image, [channels, height, width], map = null) {
  const area = height * width, pixels = new ImageData(width, height);
  for (let i = 0; i < area; i++) {
    const share = map ? OPACITY * Math.abs(map[i]) : 0;
    const color = map && map[i] < 0 ? AGAINST : FOR;
    for (let c = 0; c < 3; c++) {
      const value = 255 * image[(channels === 1 ? 0 : c * area) + i];
      pixels.data[4 * i + c] = (1 - share) * value + share * color[c];
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** A map divided by its greatest size; zeros stay zeros. */
function toUnit(map) {
  const top = map.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  return top > 0 ? map.map((value) => value / top) : map;
}

/**
 * What matters for a class: how far its logit falls when a spot takes the value `blank`, the
 * mean over all spots that a pixel belongs to. Spots that are blank already cost nothing.
 * Resolves to null if `isStale()` turns true on the way.
 */
async function occlusion(nets, image, [channels, height, width], label, blank, isStale) {
  const area = height * width, sums = new Float64Array(area), counts = new Float64Array(area);
  const logit = (x) =>
    nets.reduce((sum, net) => sum + forward(net, x).outputs[label], 0) / nets.length;
  const whole = logit(image);
  let began = performance.now();
  for (const spot of spotsOf(height, width)) {
    const hidden = image.slice();
    for (let c = 0; c < channels; c++) for (const i of spot) hidden[c * area + i] = blank;
    const isBlank = hidden.every((value, i) => value === image[i]);
    const fall = isBlank ? 0 : whole - logit(hidden);
    for (const i of spot) {
      sums[i] += fall;
      counts[i]++;
    }
    if (performance.now() - began > 12) { // let the page answer in between
      await new Promise((resolve) => setTimeout(resolve));
      if (isStale()) return null;
      began = performance.now();
    }
  }
  return toUnit(sums.map((sum, i) => sum / counts[i]));
}

/** Overlapping squares of a seventh of the shorter side, as lists of pixels. */
function spotsOf(height, width) {
  const size = Math.max(1, Math.round(Math.min(height, width) / 7));
  const step = Math.max(1, Math.floor(size / 2)), spots = [];
  for (let top = step - size; top < height; top += step) {
    for (let left = step - size; left < width; left += step) {
      const spot = [];
      for (let y = Math.max(0, top); y < Math.min(height, top + size); y++) {
        for (let x = Math.max(0, left); x < Math.min(width, left + size); x++) {
          spot.push(y * width + x);
        }
      }
      spots.push(spot);
    }
  }
  return spots;
}

/** Rows and columns of the tokens in which a net splits an image, or null. */
function gridOf(net, [, height, width]) {
  if (!net.layers.some((layer) => layer.type === "self_attention")) return null;
  const first = net.layers.find((layer) => layer.type === "patch_embed");
  const tokens = net.layers.find((layer) => layer.type === "self_attention").input[0];
  const grid = first ? [height / first.patch[0], width / first.patch[1]] : [height, 1];
  return grid[0] * grid[1] === tokens ? grid : null;
}

/** How much attention each pixel's token gets, the mean over heads and tokens. */
function attentionMap(net, image, shape) {
  const [rows, columns] = gridOf(net, shape), [, height, width] = shape;
  const { weights, tokens } = forward(net, image).attention;
  const received = new Float64Array(tokens);
  weights.forEach((weight, i) => (received[i % tokens] += weight));
  return toUnit(Float64Array.from({ length: height * width }, (_, i) => {
    const row = Math.floor((Math.floor(i / width) * rows) / height);
    return received[row * columns + Math.floor(((i % width) * columns) / width)];
  }));
}
