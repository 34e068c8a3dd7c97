"""``simulated.json``: what marks a written simulation, so that it is never mistaken for data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pluristats.errors import Problem
from pluristats.study.record import FrozenMap, Truth
from pluristats.study.tables import place, plain, show

FILE = "simulated.json"


@dataclass(frozen=True)
class Simulated:
    """Content of ``simulated.json``.

    Parameters
    ----------
    name, seed, truth
        Of the study.
    files
        sha256 of the files written with it.
    """

    name: str
    seed: int
    truth: Truth
    files: Mapping[str, str]


def dump(record: Simulated) -> str:
    """Record as JSON text."""
    truth = record.truth
    content = {
        "note": "These ratings are simulated; nobody gave them.",
        "name": record.name,
        "seed": record.seed,
        "files": dict(record.files),
        "truth": {
            "intercept": truth.intercept,
            "fixed": dict(truth.fixed),
            "interactions": dict(truth.interactions),
            "variances": dict(truth.variances),
            "points": truth.points,
            "annotator_intercepts": list(truth.annotator_intercepts),
            "prompt_intercepts": list(truth.prompt_intercepts),
            "parameters": dict(truth.parameters),
        },
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def parse(text: str, sha256: Mapping[str, str], problems: list[Problem]) -> Simulated | None:
    """Read JSON text back; None, and a problem added, where it is broken or not about these files.

    Parameters
    ----------
    text
        Content of the file.
    sha256
        Of the study's files as they are now, by name.
    problems
        Where to add what is wrong.
    """
    remedy = f"simulate again, or delete {FILE} if the ratings are real"
    try:
        content = json.loads(text)
        truth = content["truth"]
        record = Simulated(
            name=_text(content["name"]),
            seed=int(_number(content["seed"])),
            files=FrozenMap({file: _text(digest) for file, digest in content["files"].items()}),
            truth=Truth(
                intercept=_number(truth["intercept"]),
                fixed=_map(truth["fixed"]),
                interactions=_map(truth["interactions"]),
                variances=_map(truth["variances"]),
                points=_number(truth["points"]),
                annotator_intercepts=tuple(map(_number, truth["annotator_intercepts"])),
                prompt_intercepts=tuple(map(_number, truth["prompt_intercepts"])),
                parameters=_map(truth["parameters"]),
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        problems.append(Problem(place(FILE), f"cannot be read ({type(error).__name__}: {plain(error)}); {remedy}"))
        return None
    for file, digest in sha256.items():
        if file in record.files and record.files[file] != digest:
            what = f"{plain(file)} is not the file that was simulated, so the truth is not its truth; {remedy}"
            problems.append(Problem(place(FILE), what))
    return record


def _map(entries: Mapping[str, object]) -> FrozenMap[float]:
    return FrozenMap({name: _number(value) for name, value in entries.items()})


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{show(value)} is not a finite number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is not a text")
    return value
