"use strict";

// A page for nets that accept numbers: a field for each, or one for all of them.

/** Start the page; `inputs.features` are names with a first value, or null for one field. */
function start(nets, { inputs, outputs }) {
  const read = inputs.features ? makeFields(inputs.features) : readText;

  function update() {
    let values;
    try {
      values = read(sizeOf(inputs.shape));
    } catch (error) {
      announce(showNone(error.message));
      return;
    }
    const x = Float32Array.from(values, (value) => value / inputs.divisor);
    announce(showPrediction(predict(nets, x), outputs));
  }

  byId("form").addEventListener("input", update);
  byId("form").addEventListener("submit", (event) => event.preventDefault());
  update();
}

/** Make a field for each feature; returns what reads them. */
function makeFields(features) {
  const fields = features.map(({ name, value }, i) => {
    const label = append(byId("fields"), "label", "", name);
    const field = append(label, "input");
    label.htmlFor = field.id = `field-${i}`;
    field.type = "number";
    field.step = "any";
    field.value = asNumber(value);
    return field;
  });
  return () => {
    const wrong = fields.map((field) => !Number.isFinite(field.valueAsNumber));
    fields.forEach((field, i) => field.setAttribute("aria-invalid", String(wrong[i])));
    const first = wrong.indexOf(true);
    if (first >= 0) throw new Error(`${features[first].name}: expected a number`);
    return fields.map((field) => field.valueAsNumber);
  };
}

/** Read the one field for all numbers. */
function readText(count) {
  const field = byId("numbers"), words = field.value.split(/[\s,;]+/).filter(Boolean);
  const wrong = words.find((word) => !Number.isFinite(Number(word)));
  const isRight = wrong === undefined && words.length === count;
  field.setAttribute("aria-invalid", String(!isRight && words.length > 0));
  if (wrong !== undefined) throw new Error(`expected numbers, got ${wrong.slice(0, 20)}`);
  if (!isRight) throw new Error(`expected ${count} numbers, got ${words.length}`);
  return words.map(Number);
}
