"""Small notebooks for the tests, written as real files."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pluristats.report.source import Source
from pluristats.report.stages import Stage

PARAMETERS = 'data = ""\nseed = 0\nout = ""\n'

SIMULATED = Source(name="Fixture study", checksum="c0ffee", simulated=True, data="", seed=3)

FIRST = """
import pandas as pd
from pluristats.report import Artifacts
art = Artifacts(out)
art.table("counts", pd.DataFrame({"level": ["low", "high"], "n": [scale * 1000, seed]}), caption="Counts")
"""

SECOND = """
import pandas as pd
from pluristats.report import Artifacts
art = Artifacts(out)
counts = pd.read_csv(inputs["first/tables/counts.csv"])
art.table("total", pd.DataFrame({"n": [int(counts["n"].sum())]}), caption="Total")
"""


def write(path: Path, *cells: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook; a cell that begins with "#md" is Markdown. Its kernel name is deliberately wrong."""
    parts = [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    for cell in cells:
        markdown = cell.startswith("#md ")
        parts.append(new_markdown_cell(cell.removeprefix("#md ")) if markdown else new_code_cell(cell.strip()))
    for number, part in enumerate(parts):
        part["id"] = f"cell-{number}"  # random by default
    notebook = new_notebook(cells=parts, metadata={"kernelspec": {"name": "no-such-kernel", "display_name": "x"}})
    nbformat.write(notebook, path)
    return path


def chain(folder: Path) -> tuple[Stage, Stage]:
    """Two stages, the second reading a file of the first."""
    first = write(folder / "first.ipynb", "#md # First\n\n## Counting", FIRST, parameters=PARAMETERS + "scale = 1\n")
    second = write(folder / "second.ipynb", "#md # Second", SECOND, parameters=PARAMETERS + "inputs = {}\n")
    return (
        Stage("first", "First things", str(first), outputs=("tables/counts.csv",), parameters={"scale": 1}),
        Stage("second", "Second things", str(second), inputs=("first/tables/counts.csv",)),
    )


GALLERY = (
    "#md # Gallery\n\nWhat a section looks like: **prose** with a [link](https://example.org/), `code` and a list.\n\n"
    "- Ratings go from 0 to 100.\n- “Unsure” counts as missing.\n\n"
    "## A table\n\nNumbers line up by their decimals; the file has them unrounded.",
    """
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from pluristats.report import Artifacts
art = Artifacts(out)
rng = np.random.default_rng(seed)
tidy = pd.DataFrame({
    "term": ["(Intercept)", "action: child harm", "action: self-harm", "effect: psychological harm"],
    "estimate": [0.00012, 0.1432, 0.0871, -0.0514],
    "std_error": [0.0412, 0.0101, 0.0098, 0.0117],
    "p": [0.998, 2.2e-45, 6.1e-19, 1.1e-5],
    "n": [14725, 14725, 14725, 14725],
    "selected": [True, True, True, False],
})
art.table("tidy", tidy, caption="Fixed effects of the prompt features", regenerates="ps.rq1(study).tidy()")
""",
    "#md ## A figure\n\nDisagreement is largest where the mean harm is in the middle.",
    """
mean = rng.uniform(5, 95, 150)
spread = 32 - 0.009 * (mean - 50) ** 2 + rng.normal(0, 2, 150)
fig, ax = plt.subplots(figsize=(7, 4))
ax.scatter(mean, spread, s=14)
ax.set(xlabel="Mean rating", ylabel="Standard deviation of the ratings")
art.figure("disagreement", fig, caption="Disagreement against mean harm, one point a prompt.",
           alt="Scatter plot: the standard deviation of the ratings against the mean rating of 150 prompts; an arch.",
           data=pd.DataFrame({"prompt": [f"p{i}" for i in range(150)], "mean": mean, "sd": spread}))
""",
    "#md ## Remarks",
    """
art.note("result", "Prompt features help most.")
art.note("limitation", "60 features on 127 seeds fit in-sample 0.277 and about nothing out of sample.")
import warnings
from pluristats.errors import SingularFitWarning
for _ in range(2):
    warnings.warn("the variance of annotator is estimated at zero;\\nread its p-values with care", SingularFitWarning)
print("plain output\\nof two lines")
""",
    "tidy.head(2)",
)


def gallery(folder: Path) -> Stage:
    """One stage that shows everything that a page can hold."""
    return Stage("gallery", "Gallery of everything", str(write(folder / "gallery.ipynb", *GALLERY)))
