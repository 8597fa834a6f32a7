"use strict";

// The parts of the page that every kind of net has: the answer, in large and in words, the
// bars, and a line for screen readers.

const byId = (id) => document.getElementById(id);

/** A new element with a class and text, appended to a parent. */
function append(parent, tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

const MOST_BARS = 10;
const perCent = (share) => `${(100 * share).toFixed(1)} %`;
const asNumber = (value) => String(Number(value.toPrecision(5)));

/** Say something to screen readers, once nothing new has come for a while. */
const announce = (() => {
  let timer = 0;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => (byId("announced").textContent = text), 250);
  };
})();

/** Fill the list of bars: rows of {name, share, text}. */
function showBars(rows, best) {
  const list = byId("bars");
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) {
    const row = append(list, "li");
    append(row, "span", "name");
    append(append(row, "span", "track"), "span", "fill");
    append(row, "span", "value");
  }
  rows.forEach(({ name, share, text }, i) => {
    const row = list.children[i], [label, track, value] = row.children;
    row.classList.toggle("best", i === best);
    label.textContent = name;
    track.hidden = share === null;
    track.firstChild.style.transform = `scaleX(${share ?? 0})`;
    value.textContent = text;
  });
}

function showAnswer(answer, sentence) {
  byId("answer").textContent = answer;
  byId("answer").classList.toggle("long", answer.length > 3);
  byId("sentence").textContent = sentence;
  return sentence;
}

/** Show classes: the reading of `readDrawing`. Returns the sentence. */
function showClasses({ label, probabilities, doubt, answer = "–" }, names) {
  const bar = (i) => ({
    name: names[i],
    share: probabilities[i],
    text: label === null ? "" : perCent(probabilities[i]),
  });
  const all = [...probabilities.keys()], order = ranked(probabilities);
  const shown = all.length > MOST_BARS ? order.slice(0, MOST_BARS) : all;
  showBars(shown.map(bar), label === null ? -1 : shown.indexOf(label));
  if (label === null) return showAnswer(answer, doubt);
  const share = perCent(probabilities[label]);
  return showAnswer(names[label], doubt ? `${doubt} (${share})` : `${names[label]}, ${share} sure`);
}

/** Show what a net predicts, whatever that is. Returns the sentence. */
function showPrediction(outputs, { kind, names }) {
  if (kind === "classes") {
    const [yes] = outputs, isOne = outputs.length === 1;
    const probabilities = isOne ? Float32Array.of(1 - yes, yes) : outputs;
    const label = isOne ? Number(yes >= 0.5) : ranked(outputs)[0];
    return showClasses({ label, probabilities, doubt: doubtOf(probabilities, names) }, names);
  }
  const isYes = (i) => kind === "answers" && outputs[i] >= 0.5;
  showBars([...outputs.keys()].map((i) => ({
    name: names[i],
    share: kind === "answers" ? outputs[i] : null,
    text: kind === "answers" ? perCent(outputs[i]) : asNumber(outputs[i]),
  })), -1);
  document.querySelectorAll("#bars > li").forEach((row, i) =>
    row.classList.toggle("best", isYes(i)));
  if (kind === "answers") {
    const yes = names.filter((_, i) => isYes(i)).join(", ");
    return showAnswer(yes || "none", yes ? `yes: ${yes}` : "yes: none");
  }
  const values = names.map((name, i) => `${name}: ${asNumber(outputs[i])}`).join(", ");
  return showAnswer(outputs.length === 1 ? asNumber(outputs[0]) : "", values);
}

/** Show why there is no answer. */
function showNone(why) {
  showBars([], -1);
  return showAnswer("–", why);
}
