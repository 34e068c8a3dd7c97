"""The outcome of a multiverse: tables of every specification and rung, and what they say about the published ladder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from pluristats.analysis.multiverse.choices import Choice
from pluristats.analysis.multiverse.measures import Chance, chance_rates, shares
from pluristats.analysis.multiverse.specification import Specification, cells
from pluristats.analysis.published import NULL_BIC, RUNG_DELTAS
from pluristats.display.shown import Displayed, Shown
from pluristats.errors import FitError

Reading = Literal["step", "null"]
MODELS = tuple(RUNG_DELTAS)
WITHIN = (0.5, 5.0)
"""Tolerances: rounding to whole numbers, and ten times that."""


def as_targets(targets: Mapping[str, float] | None) -> dict[str, float]:
    """Published figures by model, checked; None is the published ladder.

    Raises
    ------
    ValueError
        An unknown model, one of models 1 to 6 missing, or a value that is not finite.
    """
    if targets is None:
        return {"null": float(NULL_BIC)} | {model: float(delta) for model, delta in RUNG_DELTAS.items()}
    given = {str(model): float(value) for model, value in targets.items()}
    for model, value in given.items():
        if model not in ("null", *MODELS):
            raise ValueError(f"targets has no model {model!r}; its models are null, {', '.join(MODELS)}.")
        if not np.isfinite(value):
            raise ValueError(f"The target of model {model} must be finite, not {value}.")
    missing = [model for model in MODELS if model not in given]
    if missing:
        raise ValueError(f"targets lacks model {missing[0]}; give the ΔBIC of models {', '.join(MODELS)}.")
    return given


@dataclass(frozen=True)
class Multiverse(Displayed):
    """The ladder under many specifications; made by :func:`pluristats.multiverse`.

    Differences of BIC can be read in two ways: ``"step"``, against the model in the row above, and ``"null"``, against
    the null. The published figures can only be steps (Model 4 contains Model 3), although their caption says "relative
    to Null Model"; both readings are given.

    Parameters
    ----------
    specifications
        What was computed.
    records
        Their results, as stored.
    choices
        Choices and options of the grid.
    targets
        Published ΔBIC by model, and the null's BIC as "null" where known.
    name, simulated
        Of the study.
    seed
        Of folds and draw.
    """

    specifications: tuple[Specification, ...] = field(repr=False)
    records: tuple[dict[str, Any], ...] = field(repr=False)
    choices: tuple[Choice, ...] = field(repr=False)
    targets: Mapping[str, float]
    name: str
    simulated: bool
    seed: int

    def table(self) -> pd.DataFrame:
        """One row a specification and model.

        Returns
        -------
        DataFrame
            ``id``; a column for each choice (empty where it does not apply); ``model``; ``n``, ``candidates``,
            ``kept`` (columns in use), ``k`` (parameters counted), ``loglik``, ``bic``; ``delta_step`` and
            ``delta_null`` (against the row above and the null); ``same_rows``, ``same_rows_null`` (whether they compare
            the same number of rows); ``published``; ``distance_step``, ``distance_null`` (|ours - published|; of the
            null: of its BIC); ``remark`` (why a model could not be fitted, or did not converge).
        """
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        names = [choice.name for choice in self.choices]
        rows = [
            {"id": s.id} | {name: s[name] for name in names} | rung
            for s, record in zip(self.specifications, self.records, strict=True)
            for rung in record["rungs"]
        ]
        table = pd.DataFrame(rows).astype({"loglik": float, "bic": float})
        per = table.groupby("id", sort=False)
        null_bic, null_n = per["bic"].transform(_first), per["n"].transform(_first)
        is_null = table["model"] == "null"
        table["delta_step"] = per["bic"].diff()
        table["delta_null"] = (table["bic"] - null_bic).mask(is_null)
        table["same_rows"] = per["n"].diff().fillna(0) == 0
        table["same_rows_null"] = table["n"] == null_n
        table["published"] = table["model"].map(dict(self.targets)).astype(float)
        null_distance = (table["bic"] - table["published"]).abs()
        for reading in ("step", "null"):
            distance = (table[f"delta_{reading}"] - table["published"]).abs()
            table[f"distance_{reading}"] = distance.mask(is_null, null_distance)
        remark = table.pop("remark")
        return table.assign(remark=remark)

    def deltas(self, reading: Reading = "step") -> pd.DataFrame:
        """ΔBIC with one row a specification (index ``id``) and one column a model "1" … "6"."""
        if reading not in ("step", "null"):
            raise ValueError(f"reading is 'step' or 'null', not {reading!r}.")
        wide = self._table.pivot(index="id", columns="model", values=f"delta_{reading}")
        return wide.loc[[s.id for s in self.specifications], list(MODELS)]

    def ranking(self, reading: Reading = "step") -> pd.DataFrame:
        """Specifications by their distance from the published ladder, nearest first.

        Formula: distance = √(mean over models 1-6 of (ΔBIC - published)²). Also how many figures (the models, and the
        null's BIC where it is known) are within 0.5 (rounding) and 5 of the published ones.

        Returns
        -------
        DataFrame
            ``rank``, ``id``, ``distance``, ``within_0.5``, ``within_5``, ``of`` (figures compared), the six ΔBIC as
            ``delta_1`` …, the choices, ``sentence``. Specifications with a model that cannot be fitted come last, with
            a missing distance.
        """
        deltas = self.deltas(reading)
        published = np.array([self.targets[model] for model in MODELS])
        gaps = np.abs(deltas.to_numpy() - published)
        figures = gaps
        if "null" in self.targets:
            bic = self._table[self._table["model"] == "null"].set_index("id").loc[deltas.index, "bic"].to_numpy()
            figures = np.column_stack([gaps, np.abs(bic - self.targets["null"])])
        out = pd.DataFrame({"id": deltas.index, "distance": np.sqrt(np.mean(gaps**2, axis=1))})
        for within in WITHIN:
            out[f"within_{within:g}"] = (figures <= within).sum(axis=1)
        out["of"] = figures.shape[1]
        for model in MODELS:
            out[f"delta_{model}"] = deltas[model].to_numpy()
        for choice in self.choices:
            out[choice.name] = [s[choice.name] for s in self.specifications]
        out["sentence"] = [s.describe() for s in self.specifications]
        out = out.sort_values(["distance", "id"], kind="stable", ignore_index=True)
        out.insert(0, "rank", np.arange(1, len(out) + 1))
        return out

    def reproducing(self, within: float = 0.5, reading: Reading = "step") -> tuple[Specification, ...]:
        """Specifications of which every figure (null's BIC and six ΔBIC) is within a tolerance of the published one."""
        table = self._table
        near = table[f"distance_{reading}"] <= within
        near |= (table["model"] == "null") & ("null" not in self.targets)
        all_near = near.groupby(table["id"]).all()
        return tuple(s for s in self.specifications if all_near[s.id])

    def rungs(self, reading: Reading = "step") -> pd.DataFrame:
        """Each model's distribution over specifications, and where the published figure falls in it.

        Returns
        -------
        DataFrame
            ``model`` ("null": its BIC; others: ΔBIC), ``n`` (specifications with a value), ``min``, ``q25``,
            ``median``, ``q75``, ``max``, ``published``, ``percentile`` (share of specifications below the published
            figure, ties counted half), ``within_0.5``, ``within_5`` (how many specifications).
        """
        values = {"null": self._table.loc[self._table["model"] == "null", "bic"]} | {
            model: column for model, column in self.deltas(reading).items()
        }
        rows = []
        for model, column in values.items():
            known = column.dropna().to_numpy(dtype=float)
            published = self.targets.get(str(model), np.nan)
            low, q25, median, q75, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else [np.nan] * 5
            below = (np.sum(known < published) + 0.5 * np.sum(known == published)) / max(len(known), 1)
            rows.append(
                {"model": model, "n": len(known)}
                | {"min": low, "q25": q25, "median": median, "q75": q75, "max": high}
                | {"published": published, "percentile": below if published == published and len(known) else np.nan}
                | {f"within_{w:g}": int(np.sum(np.abs(known - published) <= w)) for w in WITHIN}
            )
        return pd.DataFrame(rows)

    def influence(self, reading: Reading = "step") -> pd.DataFrame:
        """How much of each rung's variance each choice accounts for; see :func:`~.measures.shares`.

        A choice that does not apply somewhere changes nothing there: the decomposition is over the whole factorial, in
        which such cells repeat.

        Returns
        -------
        DataFrame
            ``model``, ``choice``, ``first`` (main effect), ``total`` (with interactions), ``exact`` (whether the
            factorial is complete; of a random draw the shares are estimates, and ``total`` is too small where few
            specifications differ in one choice only). Choices with one option are left out.
        """
        names = [choice.name for choice in self.choices if len(choice.options) > 1]
        deltas = self.deltas(reading)
        every = cells(self.choices)
        frame = pd.DataFrame([options for options, _ in every], columns=[choice.name for choice in self.choices])
        ids = [specification.id for _, specification in every]
        parts = []
        for model in MODELS:
            frame["value"] = deltas[model].reindex(ids).to_numpy()
            part = shares(frame, names, "value")
            part.insert(0, "model", model)
            parts.append(part.assign(exact=bool(frame["value"].notna().all())))
        return pd.concat(parts, ignore_index=True)

    def chance(
        self,
        seed: int = 0,
        *,
        n_targets: int = 2000,
        within: Sequence[float] = WITHIN,
        reading: Reading = "step",
    ) -> Chance:
        """How often the same search hits shifted, meaningless targets; see :func:`~.measures.chance_rates`.

        Raises
        ------
        FitError
            No specification has all its models fitted.
        """
        deltas = self.deltas(reading).dropna()
        if not len(deltas):
            raise FitError("No specification has all its models fitted, so nothing can be hit by chance.")
        published = np.array([self.targets[model] for model in MODELS])
        return chance_rates(deltas.to_numpy(), MODELS, published, within=within, n_targets=n_targets, seed=seed)

    def summary(self) -> str:
        """What the multiverse says, as text."""
        return "\n".join(self._lines())

    def verdict(self) -> str:
        """Whether one specification reproduces all figures, in one sentence."""
        found = self.reproducing()
        asked = "all published figures to rounding (null and every step)"
        if found:
            return (
                f"{len(found)} of {len(self.specifications):,} specifications reproduce {asked}: {found[0].describe()}"
            )
        best = self.ranking().iloc[0]
        return (
            f"None of {len(self.specifications):,} specifications reproduces {asked}. The nearest misses the steps by "
            f"{best['distance']:,.0f} (root mean square) and has {best['within_0.5']} of {best['of']} figures to "
            f"rounding: {best['sentence']}"
        )

    def _lines(self) -> list[str]:
        chance = self.chance()
        hit = chance.joint[chance.joint["within"] == WITHIN[0]].iloc[0]
        rungs = self.rungs()
        rungs["percentile"] = rungs["percentile"].map("{:.3f}".format)
        lines = ["SIMULATED DATA: nothing here can agree or disagree with the paper."] if self.simulated else []
        lines += [f"Multiverse of {len(self.specifications):,} specifications, {self.name}", self.verdict(), ""]
        lines += ["Steps of BIC over specifications (null: BIC):", _text(rungs, "{:,.1f}"), ""]
        lines += ["Share of each step's variance by choice (first: main effect; total: with interactions):"]
        largest = self.influence().groupby("model", sort=False).head(3)
        lines += [_text(largest, "{:.2f}"), ""]
        lines += [
            "How often the search hits meaningless targets drawn over each step's own range:",
            _text(chance.table, "{:.2f}"),
            f"Of {chance.n_targets:,} drawn ladders, every step is hit to rounding by some specification in "
            f"{hit['each']:.1%}, by one and the same in {hit['one']:.1%}; some specification comes as near as to the "
            f"published ladder in {chance.closest:.1%}.",
        ]
        failed = int(self._table["remark"].ne("").sum())
        if failed:
            lines.append(f"{failed} models could not be fitted or did not converge (column remark of table()).")
        return lines

    def _shown(self) -> Shown:
        title = f"Multiverse of {len(self.specifications):,} specifications, {self.name}"
        told = ("Nothing here can agree or disagree with the paper.",) if self.simulated else ()
        tables = (("Steps of BIC over specifications (null: BIC)", self.rungs()),)
        return Shown(title, self.simulated, told, (self.verdict(),), tables)


def _first(column: pd.Series) -> Any:
    """The first value, missing or not."""
    return column.iloc[0]


def _text(table: pd.DataFrame, number: str) -> str:
    return str(table.to_string(index=False, float_format=number.format))
