"""The figures and tables of the PluriHarms paper, and which stage of the main job regenerates each.

Known from public notes of the paper, which do not say what numbers it gives them; so they are named by what they show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Item:
    """A figure or table of the paper.

    Parameters
    ----------
    key
        What an artefact names it by (``art.figure(..., published="levels")``).
    kind
        What it is in the paper.
    title
        What it shows.
    stage
        Whose notebook regenerates it; empty where none does.
    remark
        How ours differs; where nothing regenerates it, why not.
    """

    key: str
    kind: Literal["figure", "table"]
    title: str
    stage: str
    remark: str = ""


ITEMS: tuple[Item, ...] = (
    Item("composition-prompts", "figure", "The prompts by harm level and by seed", "study"),
    Item("composition-annotators", "table", "Demographic composition of the annotators", "study"),
    Item("disagreement", "figure", "Harm against disagreement, one point a prompt", "study"),
    Item("levels", "figure", "Ratings by harm level, with their variance and entropy", "study"),
    Item("rq1", "figure", "Coefficients of prompt features (RQ1)", "regressions"),
    Item("rq2", "figure", "Coefficients of annotators' traits (RQ2)", "regressions"),
    Item("rq3", "figure", "Coefficients of trait × feature interactions (RQ3)", "regressions"),
    Item(
        "ladder",
        "figure",
        "ΔBIC of Models 1 to 6 (RQ4)",
        "ladder",
        "The reproduction ledger says how far each step is from the paper's.",
    ),
    Item(
        "evaluation",
        "table",
        "Errors of methods, personalised and aggregate",
        "evaluate",
        "Rows of language models are quoted from the paper, not computed: the command evaluate with --methods llm asks "
        "models of your own.",
    ),
    Item(
        "model-runs",
        "table",
        "More on the language models' errors, and on prompts that they did not answer",
        "",
        "Needs the paper's language models and the wording they were asked with, which is not published.",
    ),
)
"""In the order of the paper's sections."""

BY_KEY = {item.key: item for item in ITEMS}


def named(key: str | None) -> str:
    """What an artefact says of itself.

    Parameters
    ----------
    key
        Of an item, or None.

    Raises
    ------
    ValueError
        There is no such item.
    """
    if key is None:
        return "nothing published corresponds"
    if key not in BY_KEY:
        raise ValueError(f"the paper has nothing known as {key!r}; known are {', '.join(BY_KEY)}")
    return f"regenerates the paper's {BY_KEY[key].kind} “{BY_KEY[key].title}”"
