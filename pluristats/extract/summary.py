"""What a table of features looks like, feature by feature: ours beside the release's."""

from __future__ import annotations

import pandas as pd

from pluristats.errors import GenerateError

GROUPS = ("action", "effect", "value_topic")


def feature_summary(table: pd.DataFrame) -> pd.DataFrame:
    """How often and how strongly each feature occurs.

    Parameters
    ----------
    table
        One row a prompt with columns ``action_*``, ``effect_*``, ``value_topic_*`` (any of them): `FeatureTable.table`
        or the prompts of a study.

    Returns
    -------
    pandas.DataFrame
        One row a feature, in the table's order: ``feature``, ``group``, ``present`` (share of prompts in which it is
        not 0), ``mean`` (over all prompts; of values signed: positive supports), ``strength`` (mean size where it is
        present; missing where it never is), ``prompts``, ``simulated`` (any row of the table says so).

    Raises
    ------
    GenerateError
        There is no such column, no row, or a value is missing.
    """
    names = [str(name) for name in table.columns if str(name).startswith(tuple(f"{group}_" for group in GROUPS))]
    if not names or not len(table):
        raise GenerateError("the table has no rows or no columns action_*, effect_* or value_topic_*")
    values = table[names].astype(float)
    if values.isna().any(axis=None):
        column = values.columns[values.isna().any()][0]
        raise GenerateError(f"column {column!r} has missing values; leave out prompts without all their features")
    present = values.ne(0)
    return pd.DataFrame(
        {
            "feature": names,
            "group": [next(group for group in GROUPS if name.startswith(group)) for name in names],
            "present": present.mean().to_numpy(),
            "mean": values.mean().to_numpy(),
            "strength": values.abs().where(present).mean().to_numpy(),
            "prompts": len(table),
            "simulated": bool(table["simulated"].any()) if "simulated" in table else False,
        }
    )
