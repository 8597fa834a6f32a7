"use strict";

// The page's beginning: the description and the weights are in elements of the page. What
// `start` is depends on the page's input: drawing.js, picture.js or form.js.

const described = JSON.parse(byId("net").textContent);
start(openNets(described, bytesOf(byId("weights").textContent)), described);
