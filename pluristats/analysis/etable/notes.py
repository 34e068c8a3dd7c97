"""What stands below a table of models, so that it does not mislead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from pluristats.analysis.etable.cells import NOT_COMPARABLE, Style
from pluristats.analysis.etable.read import Model, underlying
from pluristats.lasso.select import CAVEAT
from pluristats.models import LmerFit
from pluristats.models.chunked import Summed
from pluristats.models.compare import same_columns
from pluristats.models.fit import same_rows
from pluristats.models.ordered_beta import OrderedBetaFit

SIMULATED = "SIMULATED DATA"
_ADJUSTED = {"holm": "Holm", "bh": "Benjamini and Hochberg"}
_BELOW = {
    "std_error": "Standard errors in parentheses.",
    "p_value": "p-values in parentheses.",
    "statistic": "Estimates over their standard errors in parentheses.",
}


def simulated(models: Sequence[Model]) -> list[str]:
    """That data are simulated, and whose."""
    if not any(model.simulated for model in models):
        return []
    whose = _where(models, lambda model: model.simulated)
    return [f"{SIMULATED}{whose and f' in {whose}'}: these numbers say nothing about people."]


def reading(models: Sequence[Model], style: Style, conf_level: float, adjust: str | None) -> list[str]:
    """What stands in the cells, and where p-values and intervals come from."""
    found = [] if style.below is None else [_BELOW.get(style.below, f"{100 * conf_level:g}% intervals in brackets.")]
    if style.stars:
        marks = ", ".join(f"{'*' * (i + 1)} p < {p:g}" for i, p in enumerate(style.stars))
        found.append(f"{marks}.")
    tested = bool(style.stars) or style.below == "p_value"
    if tested and adjust is not None:
        found.append(
            f"p-values adjusted ({_ADJUSTED[adjust]}) for the number of each model's coefficients, shown or not; the "
            "intercept is not one of them and has none."
        )
    if tested or style.below == "conf_int":
        what = " and ".join(["p-values"] * tested + ["intervals"] * (style.below == "conf_int"))
        by = [
            " in ".join(filter(None, (f"by {reference}", _where(models, _has(reference)))))
            for reference in dict.fromkeys(model.reference for model in models)
        ]
        found.append(f"{what[0].upper() if what[0] == 'i' else 'p'}{what[1:]} {'; '.join(by)}.")
    return found


def inference(models: Sequence[Model]) -> list[str]:
    """That rows chose the terms which they estimate."""
    if not any(model.selected for model in models):
        return []
    whose = _where(models, lambda model: model.selected)
    return [f"{whose}: {CAVEAT[0].lower()}{CAVEAT[1:]}" if whose else CAVEAT]


def likelihoods(models: Sequence[Model]) -> list[str]:
    """Why log-likelihoods, AIC and BIC of these models are not to be compared, or may not be."""
    found = []
    same = {
        (a, b): _same_rows(models[a], models[b])
        for a, b in combinations(range(len(models)), 2)
        if "nobs" in models[a].statistics and "nobs" in models[b].statistics
    }
    if any(value is False for value in same.values()):
        groups = "; ".join(", ".join(f"({i + 1})" for i in group) for group in _groups(len(models), same))
        found.append(
            f"Different rows, outcomes or weights: models of the same ones are {groups}. Log-likelihoods, AIC and BIC "
            "of others must not be compared."
        )
    elif None in same.values():
        # Those of which it is known of no other model, where there are such; else all.
        known = {i for pair, value in same.items() if value for i in pair}
        which = [i for i in range(len(models)) if i not in known] if known else range(len(models))
        names = ", ".join(f"({i + 1})" for i in which)
        found.append(
            f"Whether the rows of {names} are those of the other models cannot be told; unless they are, "
            "do not compare log-likelihoods, AIC and BIC."
        )
    families = {model.family for model in models if model.family}
    if len(families) > 1:
        found.append(
            f"Likelihoods of different kinds ({', '.join(sorted(families))}) are densities of different things: do not "
            "compare log-likelihoods, AIC and BIC between them."
        )
    restricted = [model for model in models if isinstance(fit := underlying(model), LmerFit) and fit.reml]
    gaussian = [model for model in models if model.family == "Gaussian"]
    if restricted and len(restricted) < len(gaussian):
        found.append("Restricted (REML) and full (ML) likelihoods are not comparable; refit all with reml=False.")
    elif any(not _same_columns(a, b) for a, b in combinations(map(underlying, restricted), 2)):
        found.append(
            "Restricted likelihoods (REML) of models with different coefficients, or columns in other units, are not "
            "comparable; refit with reml=False."
        )
    return [f"{NOT_COMPARABLE.strip()} {note}" for note in found]


def each(models: Sequence[Model]) -> list[str]:
    """What must be known of single models; one note for all models of which the same is said."""
    said = dict.fromkeys(remark for model in models for remark in model.remarks)
    found = []
    for remark in said:
        whose = _where(models, _said(remark))
        found.append(f"{whose}: {remark}" if whose else f"{remark[0].upper()}{remark[1:]}")
    return found


def hidden(n_shown: int, n_terms: int, empty: bool) -> list[str]:
    """That coefficients are not shown, and what an empty cell means."""
    left = n_terms - n_shown
    found = (
        [f"{left} of {n_terms} coefficients {'is' if left == 1 else 'are'} estimated and not shown."] if left else []
    )
    return [*found, *(["An empty cell: not in this model."] if empty else [])]


def _has(reference: str) -> Callable[[Model], bool]:
    return lambda model: model.reference == reference


def _said(remark: str) -> Callable[[Model], bool]:
    return lambda model: remark in model.remarks


def _where(models: Sequence[Model], holds: Callable[[Model], bool]) -> str:
    """Numbers of the models of which something holds; empty where it holds of all."""
    numbers = [i for i, model in enumerate(models, start=1) if holds(model)]
    return "" if len(numbers) == len(models) else ", ".join(f"({i})" for i in numbers)


def _groups(k: int, same: dict[tuple[int, int], bool | None]) -> list[list[int]]:
    """Models by their rows: each joins the first group whose first member has the same."""
    groups: list[list[int]] = []
    for i in range(k):
        home = next((group for group in groups if same.get((group[0], i))), None)
        if home is None:
            groups.append([i])
        else:
            home.append(i)
    return groups


def _same_rows(a: Model, b: Model) -> bool | None:
    """Whether two models were fitted to the same rows; None where that cannot be told."""
    first, second = underlying(a), underlying(b)
    if a.statistics["nobs"] != b.statistics["nobs"]:
        return False
    if isinstance(first, LmerFit) and isinstance(second, LmerFit):
        if isinstance(first.data, Summed) != isinstance(second.data, Summed):
            return None
        return same_rows(first, second)
    if isinstance(first, OrderedBetaFit) and isinstance(second, OrderedBetaFit):
        return first.index.equals(second.index) and np.array_equal(first.design.y, second.design.y)
    kinds = (LmerFit, OrderedBetaFit)
    if isinstance(first, kinds) and isinstance(second, kinds) and not any(_in_chunks(f) for f in (first, second)):
        return bool(first.index.equals(second.index))
    return None


def _same_columns(a: LmerFit, b: LmerFit) -> bool:
    """By name where rows are not held, or are not the same (which is said)."""
    if _in_chunks(a) or _in_chunks(b) or a.nobs != b.nobs:
        return sorted(a.terms) == sorted(b.terms)
    return same_columns(a, b)


def _in_chunks(fit: LmerFit | OrderedBetaFit) -> bool:
    return isinstance(fit, LmerFit) and isinstance(fit.data, Summed)
