"""Who is judged on what: splits into alignment and test ratings, drawn once, stored, and the same for every method."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.errors import EvaluationError
from pluristats.study import Study

Setting = Literal["new-prompts", "new-seeds", "known-prompts", "oracle"]
Mask = NDArray[np.bool_]

SETTINGS: Mapping[str, str] = {
    "new-prompts": "nobody's ratings of the test prompts are seen (the paper's situation)",
    "new-seeds": "as new-prompts, and no variant of a test prompt's seed is seen either",
    "known-prompts": "other people's ratings of the test prompts are seen: not comparable with the published LLM rows",
    "oracle": "ratings of the test cells' prompts by others are seen, and all own ratings: a ceiling, not a method",
}
"""The settings, and what each lets a method see."""


@dataclass(frozen=True)
class Split:
    """Which ratings are hidden from a method and then predicted.

    Parameters
    ----------
    setting
        One of :data:`SETTINGS`.
    seed, number
        The split is a function of the study, the setting and these two.
    annotators
        Whose rows ``test`` has; empty where one row is for everybody.
    test
        Labels of the test prompts, one tuple an annotator or one for all.
    """

    setting: str
    seed: int
    number: int
    annotators: tuple[Hashable, ...]
    test: tuple[tuple[Hashable, ...], ...]

    def __repr__(self) -> str:
        sizes = sorted({len(labels) for labels in self.test})
        tested = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1]))) if sizes else "no"
        whose = f"of each of {len(self.annotators):,} annotators" if self.annotators else "of everybody"
        return f"<Split {self.number} ({self.setting}): {tested} test prompts {whose}, seed {self.seed}>"

    def hidden(self, annotators: Sequence[Hashable], prompts: Sequence[Hashable]) -> Mask:
        """Cells that are tested, shape (annotators, prompts).

        Raises
        ------
        EvaluationError
            The split names somebody or something else than these.
        """
        column = {label: j for j, label in enumerate(prompts)}
        row = {label: i for i, label in enumerate(annotators)}
        mask = np.zeros((len(annotators), len(prompts)), dtype=bool)
        try:
            if not self.annotators:
                mask[:, [column[label] for label in self.test[0]]] = True
            for who, labels in zip(self.annotators, self.test, strict=bool(self.annotators)):
                mask[row[who], [column[label] for label in labels]] = True
        except KeyError as missing:
            raise EvaluationError(
                f"split {self.number} ({self.setting}) names {missing.args[0]!r}, which the study does not have; "
                "draw splits of this study"
            ) from None
        return mask


def draw_splits(
    study: Study, setting: Setting, splits: int = 20, *, seed: int = 0, n_test: int | None = None
) -> tuple[Split, ...]:
    """Draw splits of a study's prompts into alignment and test.

    ``new-prompts``, ``oracle``: ``n_test`` prompts, the same for everybody. ``new-seeds``: whole seeds in random order
    until ``n_test`` prompts are in the test (a seed that would overshoot is passed over). ``known-prompts``: for
    each annotator alone, that share of the prompts that they were asked about. The same ``seed`` gives ``new-prompts``
    and ``oracle`` the same prompts.

    Parameters
    ----------
    study
        What to split.
    setting
        One of :data:`SETTINGS`.
    splits, seed
        How many, and the seed; split k does not depend on how many there are.
    n_test
        Test prompts; None is a third (50 of the release's 150, as published).

    Raises
    ------
    EvaluationError
        The study has too few prompts or seeds for that, or there is no such setting.
    """
    if setting not in SETTINGS:
        raise EvaluationError(f"there is no setting {setting!r}; settings are {', '.join(SETTINGS)}")
    if splits < 1:
        raise EvaluationError(f"splits is the number of splits, at least 1, not {splits}")
    prompts = study.prompts
    labels = prompts["prompt"].tolist()
    n_test = round(len(labels) / 3) if n_test is None else n_test
    if not 1 <= n_test <= len(labels) - 2:
        raise EvaluationError(
            f"{n_test} of {len(labels)} prompts cannot be the test; n_test is from 1 to the number of prompts less 2"
        )
    out = []
    for number in range(splits):
        rng = np.random.default_rng([seed, number, _STREAM[setting]])
        if setting == "known-prompts":
            own = _own(study.ratings, n_test / len(labels), rng)
            out.append(Split(setting, seed, number, tuple(own), tuple(own.values())))
            continue
        if setting == "new-seeds":
            picked = _whole_seeds(prompts["seed"].to_numpy(), n_test, rng)
        else:
            picked = np.sort(rng.permutation(len(labels))[:n_test])
        out.append(Split(setting, seed, number, (), (tuple(labels[j] for j in picked),)))
    return tuple(out)


_STREAM = {"new-prompts": 0, "oracle": 0, "new-seeds": 1, "known-prompts": 2}


def _own(ratings: pd.DataFrame, share: float, rng: np.random.Generator) -> dict[Hashable, tuple[Hashable, ...]]:
    """Test prompts of each annotator, a share of those they were asked about ("Unsure" too)."""
    own: dict[Hashable, tuple[Hashable, ...]] = {}
    codes, people = factorise(ratings["annotator"])
    prompts = ratings["prompt"].to_numpy()
    for code, who in enumerate(people):
        asked = prompts[codes == code].tolist()
        picked = np.sort(rng.permutation(len(asked))[: round(len(asked) * share)])
        own[who] = tuple(asked[j] for j in picked)
    return own


def _whole_seeds(seeds: NDArray[Any], n_test: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Positions of test prompts such that no seed is on both sides."""
    codes, levels = factorise(seeds)
    sizes = np.bincount(codes)
    taken = np.zeros(len(levels), dtype=bool)
    count = 0
    for level in rng.permutation(len(levels)):
        if count + sizes[level] <= n_test:
            taken[level] = True
            count += sizes[level]
    if not 0 < count < len(seeds):
        raise EvaluationError(
            f"the {len(levels)} seeds cannot be split with {n_test} test prompts and none on both sides; "
            "choose another n_test, or leave the setting new-seeds out"
        )
    return np.flatnonzero(taken[codes])


def write_splits(path: str | Path, splits: Sequence[Split], study: Study) -> Path:
    """Store splits as JSON, with the checksum of the study that they belong to.

    Raises
    ------
    EvaluationError
        Labels that JSON does not keep apart (it has numbers and text only).
    """
    path = Path(path)
    body = {"kind": "pluristats splits", "study": study.checksum, "splits": [asdict(split) for split in splits]}
    try:
        text = json.dumps(body, allow_nan=False)
    except TypeError as error:
        raise EvaluationError(f"{path}: the study's labels are not all numbers or text ({error})") from None
    path.write_text(text, encoding="utf-8")
    return path


def read_splits(path: str | Path, study: Study) -> tuple[Split, ...]:
    """Splits from :func:`write_splits`.

    Raises
    ------
    EvaluationError
        The file is not such a file, or belongs to another study.
    """
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
        checksum, rows = body["study"], body["splits"]
        found = tuple(
            Split(
                str(row["setting"]),
                int(row["seed"]),
                int(row["number"]),
                tuple(row["annotators"]),
                tuple(tuple(labels) for labels in row["test"]),
            )
            for row in rows
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EvaluationError(f"{path} is not a file of splits ({error}); write one with write_splits") from None
    if checksum != study.checksum:
        raise EvaluationError(f"{path} holds splits of another study; draw them for this one")
    return found
