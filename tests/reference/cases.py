"""Reads the stored reference values and rebuilds the problems they belong to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pluristats.engine.result import Factor, Problem

HERE = Path(__file__).resolve().parent


def stored(name: str) -> dict[str, Any]:
    """Cases of ``values/<name>.json``, by name."""
    return json.loads((HERE / "values" / f"{name}.json").read_text())["cases"]


def inference(part: str) -> dict[str, Any]:
    """A part of ``values/inference.json``, which make_inference.R writes."""
    return json.loads((HERE / "values" / "inference.json").read_text())[part]


def small_frame(name: str) -> pd.DataFrame:
    """One of the small data sets; grouping labels stay text."""
    return pd.read_csv(HERE / "data" / f"{name}.csv")


def factor(name: str, frame: pd.DataFrame) -> Factor:
    """A grouping factor, ``a:b`` being the interaction, with its levels sorted."""
    labels = frame[name.split(":")].astype(str).agg(":".join, axis=1)
    levels, codes = np.unique(labels.to_numpy(dtype=object).astype(str), return_inverse=True)
    return Factor(name, codes.astype(np.intp), tuple(levels.tolist()))


def problem(case: dict[str, Any], frame: pd.DataFrame) -> Problem:
    """The problem of a stored case over the rows of ``frame``."""
    columns = [np.ones(len(frame)) if name == "(Intercept)" else frame[name].to_numpy(float) for name in case["fixed"]]
    return Problem(
        y=frame[case["response"]].to_numpy(float),
        x=np.column_stack(columns),
        x_names=tuple(case["fixed"]),
        factors=tuple(factor(name, frame) for name in case["groups"]),
    )


def release_frame(folder: Path) -> pd.DataFrame:
    """Ratings and prompt features of the release, z-scored over the rated rows (ddof 1), by nothing of pluristats."""
    people = pd.read_csv(folder / "annotations.csv")
    prompts = pd.read_csv(folder / "prompts.csv")
    features = [c for c in prompts if c.startswith(("action_", "effect_", "value_topic_"))]
    ratings = people[[f"Rating_{q}" for q in prompts["Question_Index"]]].to_numpy(float)
    a, p = np.nonzero(~np.isnan(ratings))
    values = np.column_stack([ratings[a, p], prompts[features].to_numpy(float)[p]])
    values = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    frame = pd.DataFrame(values, columns=["rating", *features])
    frame["annotator"] = people["Participant_ID"].to_numpy()[a]
    frame["prompt"] = prompts["Question_Index"].to_numpy()[p]
    return frame
