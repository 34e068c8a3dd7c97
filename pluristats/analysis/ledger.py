"""The reproduction ledger: every published figure, ours beside it, and how close under which choices."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from pluristats.analysis import disagreement
from pluristats.analysis.ladder import Ladder, bic_ladder, ladder_formulas
from pluristats.analysis.published import PUBLISHED, RUNG_BICS, RUNG_DELTAS, Figure
from pluristats.analysis.rq import Question, rq1, rq2, rq3
from pluristats.analysis.search import path_bics
from pluristats.display.shown import Displayed, Shown
from pluristats.errors import PluristatsWarning
from pluristats.formula import build_design
from pluristats.lasso import LassoRule
from pluristats.study import Study

Verdict = Literal[
    "exact",
    "close",
    "matches only under a penalty found by search",
    "not reproduced",
    "not tried",
    "not comparable: simulated",
]
SIMULATED: Verdict = "not comparable: simulated"
SEARCH: Verdict = "matches only under a penalty found by search"


@dataclass(frozen=True)
class Ours:
    """Our value for one figure.

    Parameters
    ----------
    value
        The number; for a sign or a claim the quantity whose sign decides.
    choices
        What gave it, as an analyst would write it.
    nobs
        Rows behind it, where that matters.
    common_rows
        For a rung, and for the largest step: the same with all models on the same rows.
    search
        For a rung: what a search over penalties finds; empty where it finds nothing.
    """

    value: float
    choices: str
    nobs: int | None = None
    common_rows: float | None = None
    search: str = ""


@dataclass(frozen=True)
class Ledger(Displayed):
    """The ledger.

    Parameters
    ----------
    table
        One row a figure: ``key``, ``claim``, ``published``, ``ours`` (for a sign or claim what decides it),
        ``difference`` (ours - published, numbers only), ``verdict``, ``nobs``, ``common_rows`` (rungs, and the
        largest step: with all models on the same rows), ``choices``.
    simulated
        Whether the study is simulated; every verdict then says so.
    """

    table: pd.DataFrame = field(repr=False)
    simulated: bool

    def tidy(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def counts(self) -> pd.Series:
        """How many figures have each verdict."""
        return self.table["verdict"].value_counts()

    def _shown(self) -> Shown:
        told = ("Nothing here can agree or disagree with the paper.",) if self.simulated else ()
        tables = (("Published figures and ours", self.table),)
        return Shown(simulated=self.simulated, warnings=told, tables=tables)


def reproduction_ledger(
    study: Study, *, rule: LassoRule | None = None, ladders: Mapping[str, Ladder] | None = None
) -> Ledger:
    """Compare every published figure with ours.

    Verdicts: "exact" (equal to the published digits), "close" (within 5 %; RQ3's "about 0.034" within 20 %; a sign
    or claim that holds is "exact"), "matches only under a penalty found by search" (a rung whose published BIC some
    penalty on its Lasso path gives, though the rule does not), "not reproduced", "not tried" (nothing computes it yet,
    or the study has no such column).

    Parameters
    ----------
    study
        The released study, or one of its shape.
    rule
        One rule for the Lasso's penalty in every figure; default: least BIC along the path.
    ladders
        ``published`` and ``common-rows`` ladders of this study where they have been computed with the same rule.

    Raises
    ------
    ValueError
        A ladder is missing from ``ladders``, or was computed with another rule.
    """
    rule = rule or LassoRule()
    for spec in ("published", "common-rows"):
        if ladders and (spec not in ladders or ladders[spec].rule != rule):
            raise ValueError(f"ladders needs the {spec} ladder by the ledger's own rule: {rule.describe()}.")
    with warnings.catch_warnings():
        # The ladder's warning about different rows stands in the ledger as the common-rows column.
        warnings.simplefilter("ignore", PluristatsWarning)
        ladders = ladders or {spec: bic_ladder(study, spec, rule=rule) for spec in ("published", "common-rows")}
        questions = {q.__name__: q(study, rule, validate=False) for q in (rq1, rq2, rq3)}
    ours = {
        **_description(study),
        **_questions(questions, rule),
        **_rungs(study, ladders, rule),
    }
    rows = [_row(figure, ours.get(figure.key), study.simulated) for figure in PUBLISHED]
    table = pd.DataFrame(rows).astype({"nobs": "Int64"})
    return Ledger(table, study.simulated)


def _row(figure: Figure, ours: Ours | None, simulated: bool) -> dict[str, object]:
    verdict = judge(figure, ours)
    if simulated and ours is not None:
        verdict = SIMULATED
    difference = np.nan
    if ours is not None and figure.kind == "number":
        difference = ours.value - figure.value
    return {
        "key": figure.key,
        "claim": figure.claim,
        "published": figure.text,
        "ours": np.nan if ours is None else ours.value,
        "difference": difference,
        "verdict": verdict,
        "nobs": None if ours is None else ours.nobs,
        "common_rows": np.nan if ours is None or ours.common_rows is None else ours.common_rows,
        "choices": "" if ours is None else "; ".join(part for part in (ours.choices, ours.search) if part),
    }


def judge(figure: Figure, ours: Ours | None) -> Verdict:
    """The verdict on one figure (see :func:`reproduction_ledger`); NaN is "not reproduced"."""
    if ours is None:
        return "not tried"
    if figure.kind in ("sign", "claim"):
        return "exact" if ours.value * figure.value > 0 else "not reproduced"
    gap = abs(ours.value - figure.value)
    if gap <= 0.5 * figure.unit * (1 + 1e-9):
        return "exact"
    if gap <= figure.near * abs(figure.value):
        return "close"
    return SEARCH if ours.search else "not reproduced"


def _description(study: Study) -> dict[str, Ours]:
    """Counts, correlation with the harm level, and disagreement by level."""
    n = len(study.frame())
    result = {"ratings": Ours(float(n), 'ratings that are not "Unsure"', n)}
    if not disagreement.has_harm_levels(study):
        return result
    spearman = disagreement.spearman_level(study)
    for row in disagreement.by_harm_level(study).claim.to_dict("records"):
        result[f"{row['measure']}_levels"] = Ours(
            row["difference"],
            f"mean over prompts at levels 0.4-0.8 minus elsewhere; permutation p = {row['p_value']:.4f}",
        )
    result["spearman"] = Ours(spearman.rho, f"{spearman.n} prompts' mean of usable ratings", spearman.n)
    result["spearman_p"] = Ours(spearman.p_value, "two-sided, t approximation", spearman.n)
    return result


def _questions(questions: Mapping[str, Question], rule: LassoRule) -> dict[str, Ours]:
    """R² and coefficients of RQ1-RQ3; a term that the Lasso left out is NaN, one that the study lacks is not tried."""
    result: dict[str, Ours] = {}
    for name in ("rq1", "rq2"):
        question = questions[name]
        kind = "REML" if question.fit.reml else "ML"
        choices = f"{rule.describe()}; unpenalised refit by {kind}; marginal R² (Nakagawa & Schielzeth)"
        result[f"{name}_r2"] = Ours(question.fit.r2().marginal, choices, question.fit.nobs)
        for figure in PUBLISHED:
            term = figure.key.removeprefix(f"{name}_sign_")
            if term != figure.key and term in question.selection.candidates:
                choices = f"coefficient of the {name.upper()} refit"
                result[figure.key] = Ours(_coefficient(question, term), choices, question.fit.nobs)
    rq3 = questions["rq3"]
    choices = f"{rule.describe()}; refit with both random intercepts; coefficient of z-scored columns' product"
    for trait in ("Race_Ethnicity", "Sexual_Orientation", "Political_Affiliation"):
        term = f"{trait}:action_Child_Harm"
        if term in rq3.selection.candidates:
            result[f"rq3_{trait}"] = Ours(_coefficient(rq3, term), choices, rq3.fit.nobs)
    return result


def _coefficient(question: Question, term: str) -> float:
    return float(question.fit.fixef.get(term, np.nan))


def _rungs(study: Study, ladders: Mapping[str, Ladder], rule: LassoRule) -> dict[str, Ours]:
    """The null, the six steps, and which step is largest."""
    rungs = {str(row["model"]): row for row in ladders["published"].table.to_dict("records")}
    common = {str(row["model"]): row for row in ladders["common-rows"].table.to_dict("records")}
    choices = f"{rule.describe()}; least-squares refit; each model on its own complete rows; step from the row above"
    null = rungs["null"]
    result = {"null_bic": Ours(null["bic"], "least squares, intercept only, σ not counted", null["nobs"])}
    searches = _searches(study)
    for model in RUNG_DELTAS:
        row = rungs[model]
        result[f"rung_{model}"] = Ours(
            row["delta_bic"], choices, row["nobs"], common[model]["delta_bic"], searches[model]
        )
    result["best_step"] = Ours(
        _lead_of_prompts(rungs),
        "least squares: by how much the step to Model 3 lowers BIC more than any other step",
        common_rows=_lead_of_prompts(common),
    )
    return result


def _lead_of_prompts(rungs: Mapping[str, Mapping[Any, Any]]) -> float:
    """How much more the step to Model 3 lowers BIC than any other step."""
    others = min(row["delta_bic"] for model, row in rungs.items() if model not in ("null", "3"))
    return float(others - rungs["3"]["delta_bic"])


def _searches(study: Study) -> dict[str, str]:
    """For each rung, what a search over the penalty of its own path finds, in words."""
    frame = study.frame()
    found: dict[str, str] = {}
    for model, terms in ladder_formulas(study).items():
        if model == "null":
            continue
        design = build_design(f"rating ~ {terms}", frame, study.groups)
        bics = path_bics(design.x[:, 1:], design.y)
        target = RUNG_BICS[model]
        hits = bics.hits(target)
        found[model] = ""
        if len(hits):
            first = hits[0]
            luck = bics.chance(target - 250, target + 250)
            found[model] = (
                f"a search over this rung's own penalty finds BIC {bics.bic[first]:,.1f} at "
                f"λ = {bics.penalty[first]:.4g} ({bics.n_selected[first]:.0f} columns); such a search hits {luck:.0%} "
                "of all targets nearby by luck"
            )
    return found
