// The explorer: its controls, its table, and what is said between browser and Python.

const [FIRST, STEP] = [30, 60];
const COLUMNS = [
  ["term", "Term"], ["group", "Group"], ["estimate", "Estimate"], ["std_error", "SE"],
  ["width", "Interval"], ["p_value", "p"], ["size", "Forest, by size"],
];

function render({ model, el: root }) {
  let serial = 0;
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
  let range = [-1, 1]; // the scale that the rows shown share
  const penalised = (r) => (step === null || !state.path.values[r.i] ? null : state.path.values[r.i][step]);

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
  function show() {
    order = ordered(rows, filter);
    range = rangeOf(order, penalised);
    drawAxis(axis, range);
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
      part.forEach((r) => drawRow(r, range, penalised));
      return part.map((r) => r.node);
    };
    const more = () => {
      body.append(...some(STEP));
      if (next < order.length) filling = setTimeout(more, 16);
    };
    body.replaceChildren(...some(FIRST));
    if (next < order.length) filling = setTimeout(more, 50);
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
    const term = chosen === null ? null : rows[chosen].term; // another model has other places
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
    const drawn = pair.selectedIndex > 0 ? pair.selectedOptions[0].text : "choose…";
    option(pair, ["choose…", ...state.interactions], drawn);
    partialBox.hidden = !state.interactions.length;
    askPartial();
    const again = rows.findIndex((r) => r.term === term);
    if (again >= 0) pick(again, false); else close();
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
  function close() {
    detail.hidden = true;
    chosen = null;
    for (const r of rows) r.node.classList.remove("ps-chosen");
  }
  function showCarriers(message) {
    const r = rows[message.row];
    const button = el("button", { type: "button" }, "Close");
    button.addEventListener("click", () => { close(); r.button.focus(); });
    detail.replaceChildren(...carrierNodes(message, r, state.level, button));
    if (detail.dataset.move) detail.focus({ preventScroll: false });
  }
  function askPartial() {
    if (pair.selectedIndex > 0) ask({ type: "partial", pair: pair.selectedIndex - 1 });
    else partial.replaceChildren();
  }
  function fitAnew(message) {
    box.setAttribute("aria-busy", "true");
    flush();
    ask(message);
  }
  function refit() {
    fitAnew({ type: "refit", structure: structure.selectedIndex, engine: state.engines[engine.selectedIndex], reml: likelihood.value === "reml" });
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
    const heading = [state.simulated, state.title].filter(Boolean).join(" ");
    const drawing = picture(order, range, penalised, heading);
    const url = URL.createObjectURL(new Blob([drawing], { type: "image/svg+xml" }));
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
    else if (message.type === "partial") partial.replaceChildren(...partialNodes(message, state.level));
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
