"""Features of prompts as one table: the pool that selection picks from, in the columns of the release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.distinct import factorise
from pluristats.errors import GenerateError
from pluristats.extract.prompts import Prompts
from pluristats.extract.trees import ExtractedTrees
from pluristats.features import Profile, score
from pluristats.texts.files import check_place, write_table

FIRST = ["prompt", "seed", "harm_level", "text", "simulated"]


@dataclass(frozen=True, eq=False, repr=False)
class FeatureTable(Displayed):
    """Features of prompts.

    Parameters
    ----------
    table
        One row a prompt with all its features, in the prompts' order: ``prompt``, ``seed``, ``harm_level`` (missing
        where it is not known), ``text``, ``simulated`` (the text or any feature comes from a simulated model); then
        ``action_*`` and ``effect_*`` (shares), ``harmfulness`` (of a weight profile), ``value_topic_*`` (signed), as
        far as they were taken.
    left_out
        Prompts without a row: ``prompt``, ``reason``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame

    @property
    def simulated(self) -> bool:
        """Whether any row comes from a simulated model."""
        return bool(self.table["simulated"].any())

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        rows, columns = self.table.shape
        return f"<FeatureTable: {rows:,} prompts × {columns:,} columns, {len(self.left_out):,} left out{simulated}>"

    def _shown(self) -> Shown:
        rows, columns = self.table.shape
        left = (("Prompts that are left out", self.left_out),) if len(self.left_out) else ()
        return Shown(
            title="Features of prompts",
            simulated=self.simulated,
            lines=(f"{rows:,} prompts × {columns:,} columns, {len(self.left_out):,} prompts left out.",),
            tables=(("First rows and columns", self.table.iloc[:5, :12]), *left),
        )

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as Parquet, JSONL or CSV (by the ending), whole or not at all.

        Raises
        ------
        GenerateError
            The place cannot be written, or holds another file (unless ``force``).
        """
        path = Path(path)
        check_place(path, FIRST, force)
        write_table(self.table, path, {"kind": "features", "simulated": self.simulated, "rows": len(self.table)})
        return path


def feature_table(
    prompts: Prompts,
    trees: ExtractedTrees | None = None,
    values: pd.DataFrame | None = None,
    *,
    by: str = "seed",
    profile: Profile | None = None,
    **settings: Any,
) -> FeatureTable:
    """Join what was extracted to the prompts.

    Parameters
    ----------
    prompts
        As they were analysed.
    trees
        Of the prompts' units (`Prompts.units`).
    values
        Topic features: ``prompt`` (the prompts' identifiers) and ``value_topic_*``, ``simulated`` optionally; only for
        prompts that have an answer.
    by
        What the trees are of: ``"seed"`` or ``"prompt"``.
    profile
        Adds ``harmfulness``, the score H of each tree (both sides must be there; the mean over samples).
    settings
        Of `tree_features`: ``actions``, ``effects``, ``effects_of``.

    Returns
    -------
    FeatureTable
        Prompts that lack any of these are not in the table but in ``left_out``, with the reason.

    Raises
    ------
    GenerateError
        Nothing was extracted, or no prompt has everything.
    """
    if trees is None and values is None:
        raise GenerateError("there is nothing to make features of; extract trees, values or both")
    table = prompts.table[FIRST]
    lacking: list[pd.Series] = []
    simulated = table["simulated"].to_numpy(dtype=bool, copy=True)
    parts = []
    if trees is not None:
        unit = prompts.table["seed" if by == "seed" else "prompt"]
        parts.append(_of(unit, _tree_table(trees, profile, settings).rename(columns={"unit": "key"})))
        lacking.append(_lacking(parts[-1], unit.map(_why(trees))))
        simulated |= unit.isin(trees.tidy().query("simulated")["unit"]).to_numpy()
    if values is not None:
        found = values.drop(columns="simulated", errors="ignore").rename(columns={"prompt": "key"})
        parts.append(_of(table["prompt"], found))
        lacking.append(_lacking(parts[-1], pd.Series("no answer about values", index=table.index)))
        if "simulated" in values:
            simulated |= table["prompt"].isin(values.loc[values["simulated"], "prompt"]).to_numpy()
    joined = ["; ".join(filter(None, row)) for row in zip(*lacking, strict=True)]
    reasons = pd.Series(joined, index=table.index, dtype=object)
    whole = reasons.eq("")
    if not whole.any():
        raise GenerateError(f"no prompt has all its features; of the first: {reasons.iloc[0]}")
    rows = pd.concat([table.assign(simulated=simulated), *parts], axis="columns")[whole].reset_index(drop=True)
    left_out = pd.DataFrame({"prompt": table["prompt"], "reason": reasons})[~whole]
    return FeatureTable(rows, left_out.reset_index(drop=True))


def _tree_table(trees: ExtractedTrees, profile: Profile | None, settings: dict[str, Any]) -> pd.DataFrame:
    """Features of every unit that has them, with ``harmfulness`` where a profile is given."""
    table = trees.features(**settings).drop(columns="simulated")
    if profile is None:
        return table
    both = [tree for tree in trees.trees() if tree is not None]
    scores = score(both, profile)
    group, units = factorise(scores["tree"])
    of_unit = dict(zip(units, scores["harmfulness"].groupby(group).mean(), strict=True))
    return table.assign(harmfulness=[of_unit.get(unit, float("nan")) for unit in table["unit"]])


def _of(keys: pd.Series, features: pd.DataFrame) -> pd.DataFrame:
    """Rows of features by key, in the order of the keys; missing where there is none."""
    return features.set_index("key").reindex(keys).set_axis(keys.index, axis="index")


def _lacking(part: pd.DataFrame, why: pd.Series) -> pd.Series:
    """Why each row misses features; "" where it has them all."""
    return why.where(part.isna().any(axis="columns"), "")


def _why(trees: ExtractedTrees) -> dict[str, str]:
    """Status and reason of the first tree of each unit that is not whole."""
    found: dict[str, str] = {}
    for row in trees.tidy().to_dict("records"):
        if row["status"] != "ok":
            reasons = [row[f"{side}_reason"] for side in trees.runs if row[f"{side}_status"] != "ok"]
            reason = f": {reasons[0]}" if reasons[0] else ""  # nobody has refused what was not asked
            found.setdefault(row["unit"], f"tree {row['status']}{reason}")
    return found
