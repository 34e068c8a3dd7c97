// The explorer's front end. Text from outside is only ever set as textContent; nothing is loaded from a network.

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"]; // Okabe & Ito
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4"];
const [EST, SE, LOW, HIGH, P] = [0, 1, 2, 3, 4];
const [FIRST, STEP] = [30, 60];
const COLUMNS = [
  ["term", "Term"], ["group", "Group"], ["estimate", "Estimate"], ["std_error", "SE"],
  ["width", "Interval"], ["p_value", "p"], ["size", "Forest, by size"],
];

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

function render({ model, el: root }) {
  let serial = 0;
  const id = `ps${Math.random().toString(36).slice(2)}`;
  const box = el("section", { className: "ps-explorer", "aria-label": "Explorer of coefficients" });
  root.append(box);

  // --- what stands above the table ---------------------------------------------------------------------------
  const head = el("div");
  const status = el("p", { className: "ps-status", role: "status", "aria-live": "polite" });
  const field = (text, input) => el("label", {}, el("span", {}, text), input);
  const search = el("input", { type: "search", placeholder: "part of a name" });
  const minSize = el("input", { type: "number", min: "0", step: "any" });
  const maxWidth = el("input", { type: "number", min: "0", step: "any", placeholder: "any" });
  const excludes = el("input", { type: "checkbox" });
  const groups = el("fieldset", { className: "ps-groups" });
  const rung = el("select");
  const rungField = field("Model of the ladder", rung);
  const structure = el("select");
  const engine = el("select");
  const likelihood = el("select", {}, el("option", { value: "reml" }, "REML"), el("option", { value: "ml" }, "ML"));
  const slider = el("input", { type: "range", min: "0", step: "1" });
  const sliderText = el("output");
  const penalty = el("div", { className: "ps-bar" }, field("Penalty λ along the path", slider), sliderText);
  const filters = el("div", { className: "ps-bar", role: "group", "aria-label": "Filter" },
    field("Search", search), field("Least |estimate|", minSize), field("Widest interval", maxWidth),
    el("label", { className: "ps-check" }, excludes, el("span", {}, "Interval excludes 0")));
  const fits = el("div", { className: "ps-bar", role: "group", "aria-label": "Refit" },
    rungField, field("Random part", structure), field("Engine", engine), field("Likelihood", likelihood));

  // --- the table: each row has its interval, so table and forest are one ------------------------------------------
  const body = el("tbody");
  const heads = new Map();
  const axis = svg("svg", { class: "ps-axis", height: 16, "aria-hidden": "true" });
  const headRow = el("tr", {}, ...COLUMNS.map(([key, text]) => {
    const button = el("button", { type: "button" }, el("span", {}, text), el("span", { className: "ps-arrow", "aria-hidden": "true" }));
    const cell = el("th", { scope: "col", className: `ps-${key}`, "aria-sort": "none" }, button);
    if (key === "size") cell.append(axis);
    button.addEventListener("click", () => sortBy(key));
    heads.set(key, cell);
    return cell;
  }));
  const table = el("table", {}, el("caption", { className: "ps-hidden" }, "Coefficients"), el("thead", {}, headRow), body);
  const scroller = el("div", { className: "ps-scroll", tabIndex: 0, role: "region", "aria-label": "Coefficients, scrolls" }, table);
  const legend = el("p", { className: "ps-legend" });

  // --- below it ----------------------------------------------------------------------------------------------
  const detail = el("section", { className: "ps-detail", tabIndex: -1, "aria-label": "What carries a coefficient", hidden: true });
  const pair = el("select");
  const partial = el("div", { className: "ps-partial" });
  const partialBox = el("section", { className: "ps-part", "aria-label": "Partial effect" },
    field("Partial effect of an interaction", pair), partial);
  const copy = el("button", { type: "button" }, "Copy code");
  const download = el("button", { type: "button" }, "Download SVG");
  const code = el("textarea", { readOnly: true, rows: 8, hidden: true, spellcheck: false, "aria-label": "Code of this view" });
  const exports = el("div", { className: "ps-bar" }, copy, download);
  box.append(head, fits, penalty, filters, groups, status, scroller, legend, detail, partialBox, exports, code);

  let state = model.get("state");
  let filter = { ...model.get("filter") };
  let rows = [];
  let order = [];
  let step = state.path ? state.path.position : null;
  let chosen = null;
  let asked = 0;

  function say(text) { status.textContent = text; }
  function ask(message) { serial += 1; model.send({ ...message, request: serial }); return serial; }

  // --- filter and sort, here in the browser -----------------------------------------------------------------------
  let later = 0;
  function changed() {
    show();
    clearTimeout(later);
    later = setTimeout(flush, 150);
  }
  function flush() {
    clearTimeout(later);
    model.set("filter", { ...filter });
    model.save_changes();
  }
  function sortBy(key) {
    // Numbers begin with the largest, but for p; the third press is the model's order again.
    const first = ["estimate", "std_error", "width", "size"].includes(key);
    if (filter.sort !== key) Object.assign(filter, { sort: key, descending: first });
    else if (filter.descending === first) filter.descending = !first;
    else Object.assign(filter, { sort: "model", descending: false });
    changed();
  }
  const width = (v) => (v[LOW] === null || v[HIGH] === null ? null : v[HIGH] - v[LOW]);
  const keys = {
    term: (r) => r.label.toLowerCase(), group: (r) => r.group.toLowerCase(), estimate: (r) => r.v[EST],
    size: (r) => (r.v[EST] === null ? null : Math.abs(r.v[EST])), std_error: (r) => r.v[SE], width: (r) => width(r.v),
    p_value: (r) => r.v[P], model: (r) => r.i,
  };
  function kept(r) {
    const v = r.v;
    if (filter.groups && !filter.groups.includes(r.group)) return false;
    if (filter.min_size > 0 && !(v[EST] !== null && Math.abs(v[EST]) >= filter.min_size)) return false;
    if (filter.excludes_zero && !(v[LOW] !== null && (v[LOW] > 0 || v[HIGH] < 0))) return false;
    if (filter.max_width !== null && !(width(v) !== null && width(v) <= filter.max_width)) return false;
    const needle = filter.search.trim().toLowerCase();
    return !needle || r.text.includes(needle);
  }
  function show() {
    const key = keys[filter.sort];
    const sign = filter.descending ? -1 : 1;
    order = rows.filter(kept).sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a.i - b.i;
      return sign * ((x > y) - (x < y)) || a.i - b.i;
    });
    scale();
    fill();
    for (const [name, cell] of heads) {
      const on = filter.sort === name;
      cell.setAttribute("aria-sort", on ? (filter.descending ? "descending" : "ascending") : "none");
      cell.querySelector(".ps-arrow").textContent = on ? (filter.descending ? " ▼" : " ▲") : "";
    }
    say(`${order.length} of ${rows.length} coefficients shown.`);
  }

  // The rows that fit on a screen at once, the others in steps, so that a thousand rows do not hold up a key.
  let filling = 0;
  function fill() {
    clearTimeout(filling);
    let next = 0;
    const some = (n) => {
      const part = order.slice(next, next + n);
      next += part.length;
      part.forEach(draw);
      return part.map((r) => r.node);
    };
    const more = () => {
      body.append(...some(STEP));
      if (next < order.length) filling = setTimeout(more, 16);
    };
    body.replaceChildren(...some(FIRST));
    if (next < order.length) filling = setTimeout(more, 50);
  }

  // --- the shared scale: that of the rows shown, the intercept aside ----------------------------------------------
  let range = [-1, 1];
  const at = (x) => 2 + 96 * Math.min(1.02, Math.max(-0.02, (x - range[0]) / (range[1] - range[0])));
  const penalised = (r) => (step === null || !state.path.values[r.i] ? null : state.path.values[r.i][step]);
  function scale() {
    const inside = order.some((r) => r.group !== "intercept") ? order.filter((r) => r.group !== "intercept") : order;
    let [low, high] = [0, 0];
    for (const r of inside) {
      for (const x of [r.v[LOW], r.v[HIGH], r.v[EST], r.before, penalised(r)]) {
        if (x !== null) { low = Math.min(low, x); high = Math.max(high, x); }
      }
    }
    range = low === high ? [-1, 1] : [low, high];
    axis.replaceChildren(...ticks(...range, 3).map((t) => svg("text", { x: `${at(t)}%`, y: 12, "text-anchor": at(t) > 90 ? "end" : at(t) < 10 ? "start" : "middle" }, String(t).replace("-", "−"))));
  }
  function draw(r) {
    const clear = r.v[LOW] > 0 || r.v[HIGH] < 0;
    const marks = [svg("line", { class: "ps-zero", x1: `${at(0)}%`, x2: `${at(0)}%`, y1: 0, y2: 22 })];
    if (r.before !== null) marks.push(svg("circle", { class: "ps-before", cx: `${at(r.before)}%`, cy: 11, r: 5.5 }));
    if (r.v[LOW] !== null) marks.push(svg("line", { class: "ps-interval", x1: `${at(r.v[LOW])}%`, x2: `${at(r.v[HIGH])}%`, y1: 11, y2: 11 }));
    if (r.v[EST] !== null) marks.push(svg("circle", { class: clear ? "ps-mark" : "ps-mark ps-open", cx: `${at(r.v[EST])}%`, cy: 11, r: 4 }));
    const x = penalised(r);
    if (x !== null) marks.push(svg("rect", { class: "ps-penalised", x: `${at(x)}%`, y: 3, width: 3, height: 16, transform: "translate(-1.5 0)" }));
    r.svg.replaceChildren(...marks);
  }

  // --- from Python's state ------------------------------------------------------------------------------------------
  function option(select, values, value) {
    select.replaceChildren(...values.map((text, k) => el("option", { value: String(k) }, text)));
    select.value = String(Math.max(0, values.indexOf(value)));
  }
  function choices() {
    option(rung, state.models, state.models[state.model]);
    rungField.hidden = !state.models.length;
    option(structure, state.structures, state.structure);
    option(engine, state.engines, state.engine);
    likelihood.value = state.reml ? "reml" : "ml";
  }
  function load() {
    state = model.get("state");
    head.replaceChildren(...[
      state.simulated && el("p", { className: "ps-strong" }, state.simulated),
      el("p", { className: "ps-title" }, state.title), el("p", { className: "ps-line" }, state.line),
      ...state.warnings.map((text) => el("p", { className: "ps-warning" }, "⚠ ", text)),
    ].filter(Boolean));
    choices();
    penalty.hidden = !state.path;
    if (state.path) { slider.max = String(state.path.lambdas.length - 1); slider.value = String(step); slide(); }
    rows = state.rows.map((r, i) => {
      const before = state.before[i];
      const button = el("button", { type: "button", className: "ps-pick", title: r.term }, r.label);
      const drawing = svg("svg", { height: 22, role: "img" });
      const node = el("tr", {},
        el("th", { scope: "row" }, button), el("td", { className: "ps-group" }, r.group), el("td", {}, number(r.v[EST])),
        el("td", { className: "ps-std_error" }, number(r.v[SE])), el("td", { className: "ps-width" }, interval(r)),
        el("td", { className: "ps-p_value" }, pText(r.v[P])), el("td", { className: "ps-forest" }, drawing));
      drawing.setAttribute("aria-label", before === null ? "interval" : `interval; before ${number(before)}`);
      button.addEventListener("click", () => pick(i));
      return { ...r, i, before, node, svg: drawing, button, text: `${r.label}\n${r.term}`.toLowerCase() };
    });
    const names = [...new Set(rows.map((r) => r.group))];
    groups.replaceChildren(el("legend", {}, "Feature groups"), ...names.map((name) => {
      const input = el("input", { type: "checkbox", checked: !filter.groups || filter.groups.includes(name) });
      input.addEventListener("change", () => {
        const on = names.filter((each, k) => groups.querySelectorAll("input")[k].checked);
        filter.groups = on.length === names.length ? null : on;
        changed();
      });
      return el("label", { className: "ps-check" }, input, el("span", {}, name));
    }));
    legend.textContent = `● interval excludes 0  ○ it includes 0; line: ${state.level} interval`
      + (state.before.some((x) => x !== null) ? "; orange ring: before the refit" : "")
      + (state.path ? "; bar: penalised at λ" : "") + ". The scale is that of the rows shown, the intercept aside.";
    const old = pair.selectedIndex;
    option(pair, ["choose…", ...state.interactions], "choose…");
    partialBox.hidden = !state.interactions.length;
    if (old > 0 && old <= state.interactions.length) { pair.selectedIndex = old; askPartial(); } else partial.replaceChildren();
    if (chosen !== null && chosen < rows.length) pick(chosen, false);
    show();
  }
  function slide() {
    sliderText.textContent = `λ = ${number(state.path.lambdas[step])}${step === state.path.position ? " (chosen)" : ""}`;
    slider.setAttribute("aria-valuetext", sliderText.textContent);
  }

  // --- what Python answers ------------------------------------------------------------------------------------------
  function pick(i, move = true) {
    chosen = i;
    for (const r of rows) r.node.classList.toggle("ps-chosen", r.i === i);
    detail.hidden = false;
    detail.replaceChildren(el("p", {}, "…"));
    asked = ask({ type: "carriers", row: i });
    detail.dataset.move = move ? "1" : "";
  }
  function showCarriers(message) {
    const r = rows[message.row];
    const most = Math.max(...message.factors.flatMap((f) => f.levels.map((l) => Math.abs(l.value))), 1e-300);
    const close = el("button", { type: "button" }, "Close");
    close.addEventListener("click", () => { detail.hidden = true; chosen = null; r.node.classList.remove("ps-chosen"); r.button.focus(); });
    detail.replaceChildren(
      el("h4", {}, `What carries ${r.label}`), close,
      el("p", {}, `The estimate ${number(r.v[EST])} (${state.level} interval ${interval(r)}, p ${pText(r.v[P])}) is the sum of what all levels contribute, at the variances found; these contribute most.`),
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
        })))));
    if (detail.dataset.move) detail.focus({ preventScroll: false });
  }
  function askPartial() {
    if (pair.selectedIndex > 0) ask({ type: "partial", pair: pair.selectedIndex - 1 });
    else partial.replaceChildren();
  }
  function showPartial(m) {
    const [w, h, left, bottom, top] = [560, 300, 52, 44, 10];
    const all = m.lines.flatMap((l) => [...l.low, ...l.high]);
    const [x0, x1, y0, y1] = [m.x[0], m.x[m.x.length - 1], Math.min(...all), Math.max(...all)];
    const X = (x) => left + (w - left - 12) * (x - x0) / (x1 - x0 || 1);
    const Y = (y) => h - bottom - (h - bottom - top) * (y - y0) / (y1 - y0 || 1);
    const ends = m.lines.map((l) => `at ${m.moderator} ${number(l.value)} from ${number(l.y[0])} to ${number(l.y[l.y.length - 1])}`);
    const text = `Predicted rating over ${m.feature} from ${number(x0)} to ${number(x1)}: ${ends.join("; ")}.`;
    const plot = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": text });
    for (const t of ticks(y0, y1)) plot.append(svg("line", { class: "ps-grid", x1: left, x2: w - 12, y1: Y(t), y2: Y(t) }), svg("text", { x: left - 6, y: Y(t) + 4, "text-anchor": "end" }, String(t).replace("-", "−")));
    for (const t of ticks(x0, x1)) plot.append(svg("text", { x: X(t), y: h - bottom + 16, "text-anchor": "middle" }, String(t).replace("-", "−")));
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
    partial.replaceChildren(plot, key, el("p", { className: "ps-text" }, `${text} Bands: ${state.level} intervals of the mean; all else at its mean, categories at the most frequent.`));
  }
  function fitAnew(message) {
    box.setAttribute("aria-busy", "true");
    flush();
    ask(message);
  }
  function refit() {
    fitAnew({ type: "refit", structure: structure.selectedIndex, engine: state.engines[engine.selectedIndex], reml: likelihood.value === "reml" });
  }
  function picture() {
    const [line, left, middle] = [22, 320, 420];
    const shown = order;
    const height = 60 + line * shown.length;
    const out = svg("svg", { xmlns: SVG, width: left + middle + 20, height, viewBox: `0 0 ${left + middle + 20} ${height}`, "font-family": "sans-serif", "font-size": 12 });
    const X = (x) => left + middle * at(x) / 100;
    out.append(svg("rect", { width: "100%", height: "100%", fill: "#fff" }), svg("text", { x: 8, y: 18, "font-weight": "bold" }, [state.simulated, state.title].filter(Boolean).join(" ").slice(0, 110)));
    out.append(svg("line", { x1: X(0), x2: X(0), y1: 28, y2: height - 28, stroke: "#222" }));
    shown.forEach((r, k) => {
      const y = 40 + line * k;
      out.append(svg("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, r.label.slice(0, 50)));
      if (r.before !== null) out.append(svg("circle", { cx: X(r.before), cy: y, r: 5.5, fill: "none", stroke: COLOURS[1] }));
      if (r.v[LOW] !== null) out.append(svg("line", { x1: X(r.v[LOW]), x2: X(r.v[HIGH]), y1: y, y2: y, stroke: COLOURS[0], "stroke-width": 1.5 }));
      if (r.v[EST] !== null) out.append(svg("circle", { cx: X(r.v[EST]), cy: y, r: 4, stroke: COLOURS[0], fill: r.v[LOW] > 0 || r.v[HIGH] < 0 ? COLOURS[0] : "#fff" }));
    });
    for (const t of ticks(...range)) out.append(svg("text", { x: X(t), y: height - 10, "text-anchor": "middle" }, String(t)));
    return new XMLSerializer().serializeToString(out);
  }

  // --- events -------------------------------------------------------------------------------------------------------
  const positive = (input, none) => { const x = parseFloat(input.value); return Number.isFinite(x) && x >= 0 ? x : none; };
  search.value = filter.search;
  minSize.value = filter.min_size || "";
  maxWidth.value = filter.max_width === null ? "" : filter.max_width;
  excludes.checked = filter.excludes_zero;
  search.addEventListener("input", () => { filter.search = search.value; changed(); });
  minSize.addEventListener("input", () => { filter.min_size = positive(minSize, 0); changed(); });
  maxWidth.addEventListener("input", () => { filter.max_width = positive(maxWidth, null); changed(); });
  excludes.addEventListener("change", () => { filter.excludes_zero = excludes.checked; changed(); });
  for (const select of [structure, engine, likelihood]) select.addEventListener("change", refit);
  rung.addEventListener("change", () => fitAnew({ type: "rung", model: rung.selectedIndex }));
  slider.addEventListener("input", () => { step = Number(slider.value); slide(); show(); });
  pair.addEventListener("change", askPartial);
  copy.addEventListener("click", () => { flush(); ask({ type: "code" }); });
  download.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([picture()], { type: "image/svg+xml" }));
    const link = el("a", { href: url, download: "coefficients.svg" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    say("The figure of the rows shown was downloaded.");
  });
  // JupyterLab has keys of its own (Enter edits a cell, a letter is a command): what is typed here stays here.
  box.addEventListener("keydown", (event) => event.stopPropagation());

  function heard(message) {
    if (message.type === "error") {
      say(message.text);
      box.removeAttribute("aria-busy");
      if (!detail.hidden && message.request === asked) detail.replaceChildren(el("p", {}, message.text));
      choices();
    } else if (message.type === "carriers" && message.request === asked) showCarriers(message);
    else if (message.type === "partial") showPartial(message);
    else if (message.type === "refitted") {
      box.removeAttribute("aria-busy");
      say(`Refitted in ${Math.round(message.ms)} ms. ${order.length} of ${rows.length} coefficients shown.`);
    } else if (message.type === "code") {
      code.value = message.text;
      code.hidden = false;
      const copied = navigator.clipboard ? navigator.clipboard.writeText(message.text) : Promise.reject(new Error("no clipboard"));
      copied.then(() => say("The code was copied."), () => { code.focus(); code.select(); say("The code is selected; copy it with the keyboard."); });
    }
  }
  model.on("change:state", load);
  model.on("msg:custom", heard);
  load();
  return () => { clearTimeout(later); clearTimeout(filling); model.off("change:state", load); model.off("msg:custom", heard); };
}

export default { render };
