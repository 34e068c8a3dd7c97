"""What the explorer takes in the browser, milliseconds: python -m tests.bench.explore RELEASE.

A filter or a sort is timed from the event to the second frame after it, when the first 30 rows and the count stand
(the others follow in steps); a refit from the choice to the second frame after its answer: message, fit, table,
message, drawing.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tests.browser import page
from tests.explorer.lab import lab, notebook, open_explorer

HEAD = """
import warnings; warnings.simplefilter("ignore")
import pluristats as ps
study = {study}
"""
SIXTY = """
fit = ps.lmer("rating ~ actions + effects + values + (1|annotator) + (1|prompt)", study, reml=False)
fit.explore(study)
"""
MANY = """
traits = [*study.groups["traits"]]
features = [column for columns in study.features.values() for column in columns]
products = [f"{t}:{f}" for t in traits for f in features]
fit = ps.lmer("rating ~ " + " + ".join([*traits, *features, *products]) + " + (1|annotator)", study, reml=False)
fit.explore(study)
"""
FILTER = """async (texts) => {
  const box = document.querySelector(".ps-explorer"), out = [];
  const input = box.querySelector("input[type=search]");
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (const text of texts) {
    await frames();
    const start = performance.now();
    input.value = text; input.dispatchEvent(new Event("input", {bubbles: true}));
    await frames();
    out.push(performance.now() - start);
  }
  return out;
}"""
SORT = """async (n) => {
  const button = document.querySelector(".ps-explorer th.ps-estimate button"), out = [];
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (let k = 0; k < n; k += 1) {
    await frames();
    const start = performance.now();
    button.click();
    await frames();
    out.push(performance.now() - start);
  }
  return out;
}"""
REFIT = """async (n) => {
  const box = document.querySelector(".ps-explorer"), out = [];
  const likelihood = box.querySelectorAll("[aria-label=Refit] select")[2];
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (let k = 0; k < n; k += 1) {
    await new Promise((done) => setTimeout(done, 300));
    const start = performance.now();
    likelihood.value = k % 2 ? "ml" : "reml";
    const queued = new Promise((done) => setTimeout(done, 0));
    likelihood.dispatchEvent(new Event("change", {bubbles: true}));
    await queued;
    while (box.hasAttribute("aria-busy")) await new Promise((done) => setTimeout(done, 2));
    await frames();
    out.push(performance.now() - start);
  }
  return out;
}"""
TEXTS = ["harm", "", "privacy", "zzz", "", "a", "value", ""]


def times(p: Any, address: str, name: str, *, refits: int) -> None:
    """Print the times of one notebook's explorer."""
    box = open_explorer(p, address, name, wait_s=300)
    rows = int(str(box.locator(".ps-status").text_content()).split()[2])
    for what, script, argument in (("filter", FILTER, TEXTS), ("sort", SORT, 8), ("refit", REFIT, refits)):
        if argument:
            found = p.evaluate(script, argument)
            print(f"{name:24} {rows:4} rows  {what:7} median {median(found):6.0f}  worst {max(found):6.0f}", flush=True)


def main(release: Path) -> None:
    """Print the times on the release and on a simulated study of its size."""
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, headless Chromium")
    studies = {"release": f"ps.load_study({str(release.resolve())!r})", "simulated": "ps.simulate_study(seed=1)"}
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for name, study in studies.items():
            notebook(folder / f"{name}-60.ipynb", HEAD.format(study=study) + SIXTY)
            notebook(folder / f"{name}-many.ipynb", HEAD.format(study=study) + MANY)
        with lab(folder) as address:
            for name in studies:
                for size, refits in (("60", 8), ("many", 0)):
                    with page() as p:
                        times(p, address, f"{name}-{size}.ipynb", refits=refits)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
