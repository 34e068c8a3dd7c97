// What Python answers about a coefficient, as nodes.

// The levels that carry an estimate, a table each factor.
function carrierNodes(message, r, level, close) {
  const most = Math.max(...message.factors.flatMap((f) => f.levels.map((l) => Math.abs(l.value))), 1e-300);
  return [
    el("h4", {}, `What carries ${r.label}`), close,
    el("p", {}, `The estimate ${number(r.v[EST])} (${level} interval ${interval(r)}, p ${pText(r.v[P])}) is the sum of what all levels contribute, at the variances found; these contribute most.`),
    ...message.factors.map((f) => el("table", {},
      el("caption", {}, `${Math.min(f.levels.length, f.count)} of ${f.count} levels of ${f.factor}`),
      el("thead", {}, el("tr", {}, ...[f.factor, "Contribution", "Rows", ""].map((t) => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...f.levels.map((l) => {
        const bar = svg("svg", { height: 12, class: "ps-contribution", "aria-hidden": "true" });
        const share = 50 * Math.abs(l.value) / most;
        bar.append(svg("rect", { x: `${l.value < 0 ? 50 - share : 50}%`, y: 1, width: `${share}%`, height: 10 }),
          svg("line", { class: "ps-zero", x1: "50%", x2: "50%", y1: 0, y2: 12 }));
        return el("tr", {}, el("th", { scope: "row" }, l.level, ...(l.text ? [el("span", { className: "ps-text" }, l.text)] : [])),
          el("td", {}, number(l.value)), el("td", {}, String(l.rows)), el("td", {}, bar));
      })))),
  ];
}

// Lines over one column at values of another, with bands, a key, and the same in words.
function partialNodes(m, level) {
  const [w, h, left, bottom, top] = [560, 300, 52, 44, 10];
  const all = m.lines.flatMap((l) => [...l.low, ...l.high]);
  const [x0, x1, y0, y1] = [m.x[0], m.x[m.x.length - 1], Math.min(...all), Math.max(...all)];
  const X = (x) => left + (w - left - 12) * (x - x0) / (x1 - x0 || 1);
  const Y = (y) => h - bottom - (h - bottom - top) * (y - y0) / (y1 - y0 || 1);
  const ends = m.lines.map((l) => `at ${m.moderator} ${number(l.value)} from ${number(l.y[0])} to ${number(l.y[l.y.length - 1])}`);
  const text = `Predicted rating over ${m.feature} from ${number(x0)} to ${number(x1)}: ${ends.join("; ")}.`;
  const plot = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": text });
  for (const t of ticks(y0, y1)) plot.append(svg("line", { class: "ps-grid", x1: left, x2: w - 12, y1: Y(t), y2: Y(t) }), svg("text", { x: left - 6, y: Y(t) + 4, "text-anchor": "end" }, tickText(t)));
  for (const t of ticks(x0, x1)) plot.append(svg("text", { x: X(t), y: h - bottom + 16, "text-anchor": "middle" }, tickText(t)));
  plot.append(svg("text", { x: (left + w) / 2, y: h - 8, "text-anchor": "middle" }, m.feature.slice(0, 60)));
  m.lines.forEach((l, k) => {
    const colour = COLOURS[k % COLOURS.length];
    const edge = (ys) => ys.map((y, i) => `${X(m.x[i]).toFixed(1)},${Y(y).toFixed(1)}`);
    plot.append(svg("polygon", { points: [...edge(l.low), ...edge(l.high).reverse()].join(" "), fill: colour, opacity: 0.15 }));
    plot.append(svg("polyline", { points: edge(l.y).join(" "), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": DASHES[k % DASHES.length] }));
  });
  const key = el("ul", { className: "ps-key" }, ...m.lines.map((l, k) => {
    const sample = svg("svg", { width: 34, height: 10, "aria-hidden": "true" });
    sample.append(svg("line", { x1: 0, x2: 34, y1: 5, y2: 5, stroke: COLOURS[k % COLOURS.length], "stroke-width": 2, "stroke-dasharray": DASHES[k % DASHES.length] }));
    return el("li", {}, sample, ` ${m.moderator}: ${number(l.value)}`);
  }));
  const words = `${text} Bands: ${level} intervals of the mean; all else at its mean, categories at the most frequent.`;
  return [plot, key, el("p", { className: "ps-text" }, words)];
}
