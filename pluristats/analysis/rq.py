"""Research questions 1-3: what about prompts, about people, and about both together predicts a rating."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import pandas as pd

from pluristats.analysis.crossval import CrossValidatedR2, cross_validated_r2
from pluristats.analysis.disagreement import variance_shares
from pluristats.errors import PluristatsWarning, Problem, StudyError
from pluristats.formula import RandomTerm, grouping_factor
from pluristats.lasso import LassoRule, LassoSelection, lasso_select
from pluristats.models import LmerFit
from pluristats.models.lmer import fit_design
from pluristats.study import Study


@dataclass(frozen=True)
class Question:
    """One research question's answer.

    Parameters
    ----------
    name
        ``RQ1``, ``RQ2`` or ``RQ3``.
    asks
        The question in words.
    selection
        Lasso selection and refit.
    cross_validated
        R² on held-out units: selected and refitted anew in every fold, all columns unpenalised, and (RQ1, RQ2) the
        shrunken Lasso with its penalty cross-validated over the same units.
    crossed
        The selected terms refitted with both random intercepts, which do not treat the ratings of one person or one
        prompt as independent.
    ceiling
        The most that the question's terms could explain out of sample; NaN where it is not identified (RQ3: with
        one rating a cell, annotator x prompt differences cannot be told from noise).
    caveats
        What a reader must know before quoting the numbers.
    """

    name: str
    asks: str
    selection: LassoSelection = field(repr=False)
    cross_validated: tuple[CrossValidatedR2, ...] = field(repr=False)
    crossed: LmerFit = field(repr=False)
    ceiling: float
    caveats: tuple[str, ...] = field(repr=False)

    @property
    def fit(self) -> LmerFit:
        """The unpenalised refit."""
        assert self.selection.refit is not None  # every question's formula has a random part
        return self.selection.refit

    def tidy(self) -> pd.DataFrame:
        """One row a selected term: :meth:`LassoSelection.tidy`, and the crossed refit's estimate and standard error."""
        crossed = self.crossed.tidy().set_index("term").reindex(self.fit.terms)
        return self.selection.tidy().assign(
            estimate_crossed=crossed["estimate"].to_numpy(), std_error_crossed=crossed["std_error"].to_numpy()
        )

    def glance(self) -> pd.DataFrame:
        """One row: rows, columns, marginal R² in sample, R² cross-validated, ceiling."""
        row: dict[str, object] = {
            "question": self.name,
            "formula": self.fit.formula,
            "nobs": self.fit.nobs,
            "candidates": len(self.selection.candidates),
            "selected": len(self.selection.selected),
            "penalty": self.selection.penalty,
            "r2_marginal": self.fit.r2().marginal,
            "r2_conditional": self.fit.r2().conditional,
        }
        for cv in self.cross_validated:
            kind = "all" if cv.selection == "all columns" else "shrunken" if cv.shrunken else "selected"
            row[f"r2_cv_{kind}"] = cv.estimate
            row["held_out"] = cv.by
        row["ceiling"] = self.ceiling
        return pd.DataFrame([row])


def rq1(study: Study, rule: LassoRule | None = None, *, reml: bool = True, validate: bool = True) -> Question:
    """RQ1: which prompt features predict ratings? Prompt features with annotator intercepts.

    Parameters
    ----------
    study
        With prompt feature groups.
    rule
        How the Lasso's penalty is chosen; the default is the least BIC along the path.
    reml
        Likelihood of the refit.
    validate
        Also cross-validate R² and fit the ceiling; False is quicker.
    """
    return _ask(
        study,
        "RQ1",
        "Which prompt features predict how harmful a prompt is rated?",
        f"rating ~ {prompt_terms(study)} + (1|annotator)",
        held_out="prompts",
        unit="prompt",
        rule=rule,
        reml=reml,
        validate=validate,
        caveats=(
            "Features vary between seeds only, and this model has no prompt intercept: its standard errors treat "
            "the ratings of one prompt as independent and are too small.",
        ),
    )


def rq2(study: Study, rule: LassoRule | None = None, *, reml: bool = True, validate: bool = True) -> Question:
    """RQ2: which traits predict ratings? Annotator traits with prompt intercepts (arguments as :func:`rq1`)."""
    return _ask(
        study,
        "RQ2",
        "Which traits of annotators predict how harmful they rate prompts?",
        "rating ~ traits + (1|prompt)",
        held_out="annotators",
        unit="annotator",
        rule=rule,
        reml=reml,
        validate=validate,
        caveats=(
            "Traits vary between annotators only, and this model has no annotator intercept: its standard errors "
            "treat the ratings of one person as independent and are too small.",
        ),
    )


def rq3(study: Study, rule: LassoRule | None = None, *, reml: bool = True, validate: bool = True) -> Question:
    """RQ3: which features matter more for whom? Prompt x trait products beside both main effects, both intercepts.

    Arguments as :func:`rq1`.
    """
    terms = prompt_terms(study)
    products = " + ".join(f"traits:{group}" for group in study.features)
    return _ask(
        study,
        "RQ3",
        "Which prompt features matter more for which people?",
        f"rating ~ {terms} + traits + {products} + (1|annotator) + (1|prompt)",
        held_out="prompts",
        unit=None,
        rule=rule,
        reml=reml,
        validate=validate,
        caveats=(
            "The R² counts main effects too. No ceiling is given: with one rating a cell, what a person makes of a "
            "prompt cannot be told from noise.",
        ),
    )


def prompt_terms(study: Study) -> str:
    """The study's prompt feature groups as the terms of a formula."""
    if not study.features or "traits" not in study.groups:
        missing = "prompt feature groups" if not study.features else "annotator traits"
        raise StudyError([Problem("study", f"it has no {missing}; RQ1-RQ3 and the ladder need both")])
    return " + ".join(study.features)


def _ask(
    study: Study,
    name: str,
    asks: str,
    formula: str,
    *,
    held_out: str,
    unit: str | None,
    rule: LassoRule | None,
    reml: bool,
    validate: bool,
    caveats: tuple[str, ...],
) -> Question:
    rule = rule or LassoRule()
    with warnings.catch_warnings():
        # What the warnings say stands in the result: caveats, glance, and the refit's remarks.
        warnings.simplefilter("ignore", PluristatsWarning)
        selection = lasso_select(formula, study, rule, reml=reml)
        crossed = _crossed(study, selection, reml=reml)
    validated = [cross_validated_r2(formula, study, by=held_out, rule=r) for r in (rule, None) if validate]
    if unit and validate:
        by_unit = LassoRule(penalty="cv", folds=held_out)
        validated.append(cross_validated_r2(formula, study, by=held_out, rule=by_unit, shrunken=True))
    return Question(
        name=name,
        asks=asks,
        selection=selection,
        cross_validated=tuple(validated),
        crossed=crossed,
        ceiling=_ceiling(study, unit) if unit and validate else float("nan"),
        caveats=caveats,
    )


def _crossed(study: Study, selection: LassoSelection, *, reml: bool) -> LmerFit:
    """The selected columns with (1|annotator) + (1|prompt)."""
    assert selection.refit is not None
    design = selection.refit.design
    if len(design.factors) == 2:
        return selection.refit
    frame = study.frame()
    rows = frame.iloc[design.rows]
    both = tuple(RandomTerm("1", (name,)) for name in ("annotator", "prompt"))
    crossed = replace(
        design,
        parsed=replace(design.parsed, random=both),
        factors=tuple(grouping_factor(term, rows) for term in both),
    )
    formula = selection.refit.formula.partition(" + (1|")[0] + " + (1|annotator) + (1|prompt)"
    return fit_design(crossed, frame, formula=formula, reml=reml, simulated=study.simulated)


def _ceiling(study: Study, unit: str) -> float:
    """The most that terms which vary only between units can explain: the units' share of the null model's variance."""
    shares = variance_shares(study).table
    return float(shares.loc[shares["source"] == unit, "share"].iloc[0])
