// Nodes and numbers as every part uses them.
// Text from outside is only ever set as textContent; nothing is loaded from a network.

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"]; // Okabe & Ito
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4"];
const [EST, SE, LOW, HIGH, P] = [0, 1, 2, 3, 4];

function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && !name.startsWith("aria")) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function svg(tag, attributes = {}, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const number = (x) => (x === null || x === undefined ? "–" : Math.abs(x) >= 1e5 || (x !== 0 && Math.abs(x) < 1e-3)
  ? x.toExponential(2) : x.toFixed(3)).replace("-", "−");
const interval = (r) => (r.v[LOW] === null ? "–" : `${number(r.v[LOW])} to ${number(r.v[HIGH])}`);
const pText = (p) => (p === null ? "–" : p < 0.001 ? "<0.001" : p.toFixed(3));

// Round numbers that cut [low, high] into about n parts.
function ticks(low, high, n = 4) {
  const raw = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-12; k += 1) out.push(Number((k * step).toPrecision(10)));
  return out;
}
