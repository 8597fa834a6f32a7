"use strict";

// A page for nets that accept pictures: a file is chosen, dropped or pasted.

const LARGEST = 2048; // a picture's longer side; a larger one is scaled by the browser first

/** Start the page: nets that accept images of `inputs.shape`. */
function start(nets, { inputs, outputs }) {
  const [channels] = inputs.shape;
  const view = makeViewer(nets, inputs.shape, (image) => sumOf(image) / image.length);
  let pixels = null;
  byId("invert-choice").hidden = channels !== 1;

  function update() {
    if (pixels === null) return;
    const image = asInput(pixels, inputs.shape, channels === 1 && byId("invert").checked);
    const prediction = predict(nets, image);
    announce(showPrediction(prediction, outputs));
    // One output is that of the last name: yes, not no.
    const label = ranked(prediction)[0], isOne = prediction.length === 1;
    view(image, label, isOne ? outputs.names.at(-1) : outputs.names[label], true);
  }

  async function open(file) {
    try {
      pixels = await pixelsOf(file);
    } catch {
      announce(showNone(`${file.name}: not a picture that this browser can read`));
      return;
    }
    update();
  }

  const openFirst = (files) => files.length > 0 && open(files[0]);
  byId("file").addEventListener("change", (event) => openFirst(event.target.files));
  byId("invert").addEventListener("change", update);
  document.addEventListener("paste", (event) => openFirst(event.clipboardData.files));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    openFirst(event.dataTransfer.files);
  });
  paintImage(byId("view"), new Float32Array(sizeOf(inputs.shape)), inputs.shape);
}

/** The pixels of a file, on white where it is transparent. */
async function pixelsOf(file) {
  const bitmap = await createImageBitmap(file), canvas = document.createElement("canvas");
  const scale = Math.min(1, LARGEST / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** The middle of a picture that has the net's shape, scaled by means over areas, in [0, 1]. */
function asInput({ data, width, height }, [channels, rows, columns], isInverted) {
  const scale = Math.min(width / columns, height / rows);
  const left = (width - columns * scale) / 2, top = (height - rows * scale) / 2;
  const across = sharesOf(columns, left, scale, width), down = sharesOf(rows, top, scale, height);
  const image = new Float32Array(channels * rows * columns);
  for (let c = 0; c < channels; c++) {
    const value = (i) => (channels === 1 ? grayOf(data, 4 * i) : data[4 * i + c]) / 255;
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        let sum = 0;
        for (const [y, high] of down[p]) {
          for (const [x, wide] of across[q]) sum += high * wide * value(y * width + x);
        }
        const mean = Math.min(1, sum / (scale * scale));
        image[(c * rows + p) * columns + q] = isInverted ? 1 - mean : mean;
      }
    }
  }
  return image;
}

/** For each of n targets of `scale` sources from `from` on: [source, how far it is covered]. */
function sharesOf(n, from, scale, sources) {
  return Array.from({ length: n }, (_, target) => {
    const low = from + target * scale, high = low + scale, shares = [];
    for (let i = Math.max(0, Math.floor(low)); i < Math.min(sources, Math.ceil(high)); i++) {
      shares.push([i, Math.min(high, i + 1) - Math.max(low, i)]);
    }
    return shares;
  });
}

/** Luma of ITU-R BT.601 in whole numbers, as Pillow has it. */
function grayOf(data, at) {
  return (19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) >> 16;
}
