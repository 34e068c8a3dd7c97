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

const tickText = (t) => String(t).replace("-", "−");

// Round numbers in [low, high], as far apart as leaves at least so many of them.
function ticks(low, high, least = 3) {
  const power = 10 ** Math.floor(Math.log10(high - low || 1));
  for (const k of [5, 2, 1, 0.5, 0.2, 0.1]) {
    const step = k * power;
    const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
    if (last - first + 1 >= least) return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(10)));
  }
  return [low];
}
