"""Research questions 1-3: what about prompts, about people, and about both together predicts a rating."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import pandas as pd

from pluristats.analysis.crossval import CrossValidatedR2, cross_validated_r2
from pluristats.analysis.disagreement import variance_shares
from pluristats.display.explored import Explored
from pluristats.display.shown import Displayed, Shown
from pluristats.errors import PluristatsWarning, Problem, StudyError
from pluristats.formula import Design, RandomTerm, grouping_factor
from pluristats.lasso import LassoRule, LassoSelection, lasso_select
from pluristats.lasso.folds import fold_units
from pluristats.lasso.select import CAVEAT
from pluristats.models import LmerFit
from pluristats.models.lmer import fit_design
from pluristats.study import Study


@dataclass(frozen=True)
class Question(Displayed, Explored):
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

    def _shown(self) -> Shown:
        return Shown(
            title=f"{self.name}: {self.asks}",
            simulated=self.selection.simulated,
            warnings=(CAVEAT, *self.caveats),
            tables=(("Fit", self.glance()), ("Selected terms", self.tidy())),
        )

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
        Also cross-validate R² (10 folds, fewer where fewer than 20 units can be held out) and fit the ceiling; False
        is quicker.

    Raises
    ------
    StudyError
        The study has no prompt features.
    """
    require(study, "RQ1", features=True)
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
            "Features vary between prompts only, and this model has no prompt intercept: its standard errors treat "
            "the ratings of one prompt as independent and are too small.",
        ),
    )


def rq2(study: Study, rule: LassoRule | None = None, *, reml: bool = True, validate: bool = True) -> Question:
    """RQ2: which traits predict ratings? Annotator traits with prompt intercepts (arguments as :func:`rq1`)."""
    require(study, "RQ2", traits=True)
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
    require(study, "RQ3", features=True, traits=True)
    return _ask(
        study,
        "RQ3",
        "Which prompt features matter more for which people?",
        f"rating ~ {prompt_terms(study)} + traits + {product_terms(study)} + (1|annotator) + (1|prompt)",
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
    return " + ".join(_quoted(group) for group in study.features)


def product_terms(study: Study) -> str:
    """All products of a trait and a prompt feature as the terms of a formula."""
    return " + ".join(f"traits:{_quoted(group)}" for group in study.features)


def require(study: Study, what: str, *, features: bool = False, traits: bool = False) -> None:
    """Refuse a study that lacks what a question is about.

    Raises
    ------
    StudyError
        The study has no prompt features, or no annotator traits, and ``what`` needs them.
    """
    missing = []
    if features and not any(study.features.values()):
        missing.append("prompt features")
    if traits and not study.groups["traits"]:
        missing.append("annotator traits")
    if missing:
        needs = " and ".join(missing)
        raise StudyError([Problem("study", f"it has no {needs}, which {what} needs; name their columns in study.yaml")])


def _quoted(group: str) -> str:
    return group if group.isidentifier() else f"`{group}`"


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
    n_folds = _n_folds(study, held_out)
    by_unit = LassoRule(penalty="cv", folds=held_out, n_folds=n_folds)
    validated: list[CrossValidatedR2] = []
    ceiling = float("nan")
    with warnings.catch_warnings():
        # What the warnings say stands in the result: caveats, glance, and the refit's remarks.
        warnings.simplefilter("ignore", PluristatsWarning)
        selection = lasso_select(formula, study, rule, reml=reml)
        crossed = _crossed(study, selection, reml=reml)
        if validate:
            for each in (rule, None):
                validated.append(cross_validated_r2(formula, study, by=held_out, rule=each, n_folds=n_folds))
        if validate and unit:
            validated.append(
                cross_validated_r2(formula, study, by=held_out, rule=by_unit, shrunken=True, n_folds=n_folds)
            )
            ceiling = _ceiling(study, unit)
    return Question(
        name=name,
        asks=asks,
        selection=selection,
        cross_validated=tuple(validated),
        crossed=crossed,
        ceiling=ceiling,
        caveats=caveats,
    )


def _crossed(study: Study, selection: LassoSelection, *, reml: bool) -> LmerFit:
    """The selected columns with (1|annotator) + (1|prompt)."""
    assert selection.refit is not None
    design = selection.refit.design
    assert isinstance(design, Design)  # a study's rows are in memory
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
    fit = fit_design(crossed, frame, formula=formula, reml=reml, simulated=study.simulated)
    return replace(fit, after_selection=True)


def _n_folds(study: Study, held_out: str) -> int:
    """Ten, or fewer where ten would leave less than two units a fold (the folds inside a fold need some, too)."""
    units = len(set(fold_units(study.frame(), held_out).tolist()))
    return max(2, min(10, units // 2))


def _ceiling(study: Study, unit: str) -> float:
    """The most that terms which vary only between units can explain: the units' share of the null model's variance."""
    shares = variance_shares(study).table
    return float(shares.loc[shares["source"] == unit, "share"].iloc[0])
