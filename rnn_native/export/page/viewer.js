"use strict";

// The part of the page that shows what the net sees, with a choice of maps above it.

const LEGENDS = {
  picture: "",
  matters: "Orange speaks for NAME, blue against it: how the output changes when a spot is wiped out.",
  attention: "The more orange, the more attention other parts of the picture pay to this one.",
};

/**
 * Make the viewer of nets that accept images of `shape`. Returns show(image, label, name,
 * isFinished): maps are drawn for finished drawings only, as they need some time.
 */
function makeViewer(nets, shape, blankOf) {
  let shown = null, changes = 0;
  byId("attention-choice").hidden = gridOf(nets[0], shape) === null;

  async function paint() {
    const { image, label, name, isFinished } = shown, change = ++changes;
    const chosen = document.querySelector("#views input:checked").value;
    const hasMap = label !== null && isFinished;
    byId("legend").textContent = hasMap ? LEGENDS[chosen].replace("NAME", name) : "";
    if (!hasMap || chosen === "picture") return paintImage(byId("view"), image, shape);
    const isStale = () => change !== changes;
    const map = chosen === "attention" ? attentionMap(nets[0], image, shape)
      : await occlusion(nets, image, shape, label, blankOf(image), isStale);
    if (map && !isStale()) paintImage(byId("view"), image, shape, map);
  }

  byId("views").addEventListener("change", paint);
  return (image, label, name, isFinished) => {
    shown = { image, label, name, isFinished };
    return paint();
  };
}
