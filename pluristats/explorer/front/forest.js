// Intervals on one scale: in the rows of the table, and as a picture.

// From the least to the largest number of the rows and 0, the intercept aside.
function rangeOf(rows, penalised) {
  const inside = rows.some((r) => r.group !== "intercept") ? rows.filter((r) => r.group !== "intercept") : rows;
  let [low, high] = [0, 0];
  for (const r of inside) {
    for (const x of [r.v[LOW], r.v[HIGH], r.v[EST], r.before, penalised(r)]) {
      if (x !== null) { low = Math.min(low, x); high = Math.max(high, x); }
    }
  }
  return low === high ? [-1, 1] : [low, high];
}

// Percent of the width at which a number stands; what is out of range stands at its edge.
const placed = ([low, high]) => (x) => 2 + 96 * Math.min(1.02, Math.max(-0.02, (x - low) / (high - low)));
const clear = (r) => r.v[LOW] > 0 || r.v[HIGH] < 0;

function drawAxis(axis, range) {
  const at = placed(range);
  const anchor = (x) => (x > 90 ? "end" : x < 10 ? "start" : "middle");
  axis.replaceChildren(...ticks(...range, 2).map(
    (t) => svg("text", { x: `${at(t)}%`, y: 12, "text-anchor": anchor(at(t)) }, tickText(t)),
  ));
}

function drawRow(r, range, penalised) {
  const place = placed(range);
  const at = (x) => `${place(x)}%`;
  const [estimate, low, high] = [r.v[EST], r.v[LOW], r.v[HIGH]];
  const marks = [svg("line", { class: "ps-zero", x1: at(0), x2: at(0), y1: 0, y2: 22 })];
  if (r.before !== null) marks.push(svg("circle", { class: "ps-before", cx: at(r.before), cy: 11, r: 5.5 }));
  if (low !== null) marks.push(svg("line", { class: "ps-interval", x1: at(low), x2: at(high), y1: 11, y2: 11 }));
  if (estimate !== null) marks.push(svg("circle", { class: clear(r) ? "ps-mark" : "ps-mark ps-open", cx: at(estimate), cy: 11, r: 4 }));
  const x = penalised(r);
  if (x !== null) marks.push(svg("rect", { class: "ps-penalised", x: at(x), y: 3, width: 3, height: 16, transform: "translate(-1.5 0)" }));
  r.svg.replaceChildren(...marks);
}

// The rows as SVG text of its own: no style sheet, black on white.
function picture(rows, range, penalised, heading) {
  const [line, left, middle] = [22, 320, 420];
  const [width, height] = [left + middle + 20, 60 + line * rows.length];
  const place = placed(range);
  const X = (x) => left + middle * place(x) / 100;
  const out = svg("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "sans-serif", "font-size": 12 });
  out.append(svg("rect", { width: "100%", height: "100%", fill: "#fff" }), svg("text", { x: 8, y: 18, "font-weight": "bold" }, heading.slice(0, 110)));
  out.append(svg("line", { x1: X(0), x2: X(0), y1: 28, y2: height - 28, stroke: "#222" }));
  rows.forEach((r, k) => {
    const y = 40 + line * k;
    const [estimate, low, high, x] = [r.v[EST], r.v[LOW], r.v[HIGH], penalised(r)];
    out.append(svg("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, r.label.slice(0, 50)));
    if (r.before !== null) out.append(svg("circle", { cx: X(r.before), cy: y, r: 5.5, fill: "none", stroke: COLOURS[1] }));
    if (low !== null) out.append(svg("line", { x1: X(low), x2: X(high), y1: y, y2: y, stroke: COLOURS[0], "stroke-width": 1.5 }));
    if (estimate !== null) out.append(svg("circle", { cx: X(estimate), cy: y, r: 4, stroke: COLOURS[0], fill: clear(r) ? COLOURS[0] : "#fff" }));
    if (x !== null) out.append(svg("rect", { x: X(x) - 1.5, y: y - 8, width: 3, height: 16, fill: COLOURS[2] }));
  });
  for (const t of ticks(...range)) out.append(svg("text", { x: X(t), y: height - 10, "text-anchor": "middle" }, tickText(t)));
  return new XMLSerializer().serializeToString(out);
}
