"""RQ4: a ladder of Models 1-6 compared by BIC, as published, on common rows, and with random effects."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from pluristats.analysis.rq import product_terms, prompt_terms, require
from pluristats.display.explored import Explored
from pluristats.display.shown import Displayed, Shown
from pluristats.engine import native
from pluristats.engine.result import Problem
from pluristats.errors import DifferentRowsWarning, FormulaError, UnsupportedError
from pluristats.formula import Design, build_design, parse_formula
from pluristats.lasso import LassoRule, choose_columns
from pluristats.models import LmerFit
from pluristats.models.lmer import fit_design
from pluristats.study import Study

Spec = Literal["published", "common-rows", "mixed"]
SPECS: tuple[Spec, ...] = ("published", "common-rows", "mixed")
RANDOM_PARTS = ("(1|annotator)", "(1|prompt)", "(1|annotator) + (1|prompt)")

# Which model a rung extends: the others are not nested in the rung before them.
NESTED_IN = {"1": "null", "2": "1", "3": "null", "4": "3", "5": "4", "6": "5"}

DIFFERENT_ROWS = (
    "BICs in this ladder come from different rows (see nobs): rows that miss a trait are dropped from models with "
    "traits. On fewer rows a BIC is smaller whatever the model, so these differences are not evidence; use "
    "spec='common-rows'."
)


@dataclass(frozen=True)
class Ladder(Displayed, Explored):
    """A ladder of models.

    Parameters
    ----------
    spec
        Which comparison it is.
    table
        One row a model, the null first; see :func:`bic_ladder`.
    rule
        How the Lasso's penalty was chosen; None without selection.
    random
        Random part of a mixed ladder.
    notes
        What a reader must know, as sentences.
    simulated
        Whether the ratings are simulated.
    """

    spec: Spec
    table: pd.DataFrame = field(repr=False)
    rule: LassoRule | None
    random: str | None
    notes: tuple[str, ...]
    simulated: bool

    def tidy(self) -> pd.DataFrame:
        """The table with the specification as its first column, ready to stack with other ladders."""
        return self.table.copy().assign(spec=self.label)[["spec", *self.table.columns]]

    @property
    def label(self) -> str:
        """Specification in words: the spec, and the random part of a mixed one."""
        return f"{self.spec} {self.random}" if self.random else self.spec

    def __str__(self) -> str:
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        return "\n".join([*head, f"BIC ladder, {self.label}", self.table.to_string(index=False), *self.notes])

    def _shown(self) -> Shown:
        caption = f"BIC ladder, {self.label}"
        return Shown(simulated=self.simulated, tables=((caption, self.table),), notes=self.notes)


def bic_ladder(
    study: Study,
    spec: Spec = "published",
    *,
    random: str = "(1|annotator) + (1|prompt)",
    rule: LassoRule | None = None,
) -> Ladder:
    """Fit the null and Models 1-6 and compare them by BIC.

    Models: 1 traits; 2 = 1 + trait x trait; 3 prompt features; 4 = 3 + traits; 5 = 4 + trait x trait;
    6 = 5 + prompt x trait.

    Parameters
    ----------
    study
        With prompt features and traits.
    spec
        ``"published"``: the paper's procedure as far as it is known: Lasso by one rule for all rungs, unpenalised
        least squares on the columns kept, BIC = n log(2πRSS/n) + n + p log n as statsmodels counts it (σ is not
        a parameter), each model on its own complete rows. ``"common-rows"``: the same on the rows complete for all
        models. ``"mixed"``: maximum likelihood with the random part, all columns, on common rows.
    random
        Random part of the mixed ladder, as in lme4.
    rule
        How the Lasso's penalty is chosen, the same for all rungs; default: least BIC along the path.

    Returns
    -------
    Ladder
        ``table`` has ``model`` ("null", "1" … "6"), ``terms``, ``nobs``, ``n_candidates``, ``n_params``, ``penalty``,
        ``loglik``, ``bic``, ``delta_bic`` (against the row above; missing for the null), ``delta_bic_null`` (against
        the null), ``same_rows`` and ``same_rows_null`` (whether each compares the same rows); a mixed ladder also
        ``bic_hybrid``, ``delta_bic_hybrid``, ``singular``, and the likelihood-ratio test against the model it extends:
        ``lrt_against``, ``lrt_chisq``, ``lrt_df``, ``lrt_p``.

    Raises
    ------
    StudyError
        The study has no prompt features or no traits.
    FormulaError, UnsupportedError
        ``random`` is not a sum of random intercepts of the study's columns.

    Warns
    -----
    DifferentRowsWarning
        When the models do not all use the same rows.
    """
    if spec not in SPECS:
        raise ValueError(f"spec is one of {', '.join(SPECS)}, not {spec!r}.")
    require(study, "the BIC ladder", features=True, traits=True)
    parsed = parse_formula(f"rating ~ 1 + {random}" if spec == "mixed" else "rating ~ 1")
    if parsed.pieces != (("+", "1"),) or parsed.offsets:
        raise FormulaError(f"The random part {random!r} may hold random terms only, as in '(1|annotator)'.")
    slopes = [str(term) for term in parsed.random if not term.intercept_only]
    if slopes:
        raise UnsupportedError(
            f"Random term {slopes[0]} is more than a random intercept, which the ladder does not compare; fit its "
            "models with lmer."
        )
    frame = study.frame()
    formulas = ladder_formulas(study)
    if spec != "published":
        frame = common_rows(study, frame)
    if spec == "mixed":
        rows = [_mixed_rung(name, terms, frame, study, random) for name, terms in formulas.items()]
        rule = None
    else:
        rule = rule or LassoRule()
        rows = [_ols_rung(name, terms, frame, study, rule) for name, terms in formulas.items()]
    table = _with_deltas(pd.DataFrame([row for row, _ in rows]), [design.rows for _, design in rows])
    if spec == "mixed":
        table = _with_tests(table)
    notes = tuple(_notes(spec, table, rule, study.simulated, n_all=len(study.frame())))
    if table["nobs"].nunique() > 1:
        warnings.warn(DIFFERENT_ROWS, DifferentRowsWarning, stacklevel=2)
    return Ladder(spec, table, rule, random if spec == "mixed" else None, notes, study.simulated)


def ladder_versions(
    study: Study, rule: LassoRule | None = None, randoms: Sequence[str] = RANDOM_PARTS
) -> tuple[pd.DataFrame, dict[str, Ladder]]:
    """The ladder on each model's own rows, on common rows, and under each random part, side by side.

    Parameters
    ----------
    study, rule
        As for :func:`bic_ladder`.
    randoms
        Random parts of the mixed ladders.

    Returns
    -------
    tuple
        What :func:`pluristats.plot.ladder` draws (``spec``, ``model``, ``delta_bic`` as steps, ``nobs``,
        ``same_rows``), and the ladders by the names in ``spec``. ``same_rows`` says what
        :class:`DifferentRowsWarning` would.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DifferentRowsWarning)
        ladders = {"own rows (paper's procedure)": bic_ladder(study, "published", rule=rule)}
    ladders["common rows"] = bic_ladder(study, "common-rows", rule=rule)
    ladders |= {f"mixed, {random}": bic_ladder(study, "mixed", random=random) for random in randoms}
    columns = ["spec", "model", "delta_bic", "nobs", "same_rows"]
    return pd.concat([each.tidy().assign(spec=name)[columns] for name, each in ladders.items()]), ladders


def ladder_formulas(study: Study) -> dict[str, str]:
    """Fixed part of each model, by name."""
    prompt = prompt_terms(study)
    pairs = "traits + traits:traits"
    return {
        "null": "1",
        "1": "traits",
        "2": pairs,
        "3": prompt,
        "4": f"{prompt} + traits",
        "5": f"{prompt} + {pairs}",
        "6": f"{prompt} + {pairs} + {product_terms(study)}",
    }


def _ols_rung(
    name: str, terms: str, frame: pd.DataFrame, study: Study, rule: LassoRule
) -> tuple[dict[str, Any], Design]:
    """Lasso, then least squares on the columns kept."""
    design = build_design(f"rating ~ {terms}", frame, study.groups)
    x, penalty = design.x, float("nan")
    if x.shape[1] > 1:  # the intercept comes first
        chosen = choose_columns(x[:, 1:], design.y, frame.iloc[design.rows], rule)
        penalty = chosen.penalty
        x = np.asfortranarray(x[:, np.r_[True, chosen.support]])
    fit = native.fit(Problem(design.y, x, tuple(map(str, range(x.shape[1]))), ()), reml=False)
    n, n_params = len(design.y), len(fit.beta)
    row = {
        "model": name,
        "terms": terms,
        "nobs": n,
        "n_candidates": design.x.shape[1] - 1,
        "n_params": n_params,
        "penalty": penalty,
        "loglik": fit.loglik,
        "bic": -2.0 * fit.loglik + n_params * float(np.log(n)),
    }
    return row, design


def common_rows(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a study's frame that are complete for the largest model, and so for all."""
    return frame.iloc[build_design(f"rating ~ {ladder_formulas(study)['6']}", frame, study.groups).rows]


def mixed_fit(terms: str, frame: pd.DataFrame, study: Study, random: str) -> tuple[LmerFit, Design]:
    """A model of the ladder with all its columns and a random part, by maximum likelihood; and its design."""
    formula = f"rating ~ {terms} + {random}"
    design = build_design(formula, frame, study.groups)
    return fit_design(design, frame, formula=formula, reml=False, simulated=study.simulated), design


def _mixed_rung(name: str, terms: str, frame: pd.DataFrame, study: Study, random: str) -> tuple[dict[str, Any], Design]:
    """All columns with the random part, by maximum likelihood."""
    fit, design = mixed_fit(terms, frame, study, random)
    row = {
        "model": name,
        "terms": terms,
        "nobs": fit.nobs,
        "n_candidates": design.x.shape[1] - 1,
        "n_params": fit.df,
        "penalty": float("nan"),
        "loglik": fit.loglik,
        "bic": fit.bic,
        "bic_hybrid": fit.bic_hybrid,
        "singular": fit.singular,
    }
    return row, design


def _with_deltas(table: pd.DataFrame, rows: list[np.ndarray]) -> pd.DataFrame:
    """Differences of BIC against the row above and the null, and whether the rows are the same."""
    table["delta_bic"] = table["bic"].diff()
    table["delta_bic_null"] = table["bic"] - table["bic"].iloc[0]
    table.loc[0, "delta_bic_null"] = np.nan
    if "bic_hybrid" in table:
        table["delta_bic_hybrid"] = table["bic_hybrid"].diff()
    table["same_rows"] = [np.array_equal(own, above) for own, above in zip(rows, [rows[0], *rows[:-1]], strict=True)]
    table["same_rows_null"] = [np.array_equal(own, rows[0]) for own in rows]
    return table


def _with_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Likelihood-ratio test of each model against the one it extends."""
    loglik = dict(zip(table["model"], table["loglik"], strict=True))
    n_params = dict(zip(table["model"], table["n_params"], strict=True))
    tests: list[dict[str, Any]] = []
    for model in table["model"]:
        against = NESTED_IN.get(model)
        if against is None:
            tests.append({"lrt_against": None, "lrt_chisq": np.nan, "lrt_df": np.nan, "lrt_p": np.nan})
            continue
        chisq = 2.0 * float(loglik[model] - loglik[against])
        df = int(n_params[model] - n_params[against])
        p = float(stats.chi2.sf(chisq, df))
        tests.append({"lrt_against": against, "lrt_chisq": chisq, "lrt_df": df, "lrt_p": p})
    return table.assign(**{key: [test[key] for test in tests] for key in tests[0]}).astype({"lrt_df": "Int64"})


def _notes(spec: Spec, table: pd.DataFrame, rule: LassoRule | None, simulated: bool, n_all: int) -> Iterator[str]:
    if table["nobs"].nunique() > 1:
        yield DIFFERENT_ROWS
    elif table["nobs"].iloc[0] < n_all:
        yield f"All models use the {table['nobs'].iloc[0]:,} of {n_all:,} rows on which no trait is missing."
    if rule is not None:
        yield f"{rule.describe()}, the same rule for every model; the BIC does not count the search."
    if spec == "mixed":
        yield (
            "Maximum likelihood with all columns, no selection. bic_hybrid charges a term that is constant within "
            "annotators (or prompts) the log of their number instead of the log of rows."
        )
    else:
        yield (
            "The Lasso may keep fewer columns of a larger model than of a smaller one (n_params against n_candidates), "
            "so a model need not contain the one that it extends."
        )
        yield "These BICs treat all ratings as independent, although each person and each prompt has many."
    if simulated:
        yield "The ratings are simulated."
