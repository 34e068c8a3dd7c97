"""Look at a study's files without using them: everything that is wrong, or what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import Problem
from pluristats.study.load import read_study
from pluristats.study.release import SHA256
from pluristats.study.study import Study


@dataclass(frozen=True)
class CheckReport(Displayed):
    """What a check found.

    Parameters
    ----------
    path
        What was checked, as given.
    problems
        Everything that is wrong; empty where the study can be used.
    summary
        ``item`` and ``value``, what is in the study; no rows where there are problems.
    """

    path: str
    problems: tuple[Problem, ...]
    summary: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether the study can be used."""
        return not self.problems

    @property
    def simulated(self) -> bool:
        """Whether the study says of itself that it is; False where it cannot be used."""
        return ("simulated", "yes") in zip(self.summary["item"], self.summary["value"], strict=True)

    def __repr__(self) -> str:
        found = "can be used" if self.ok else f"{len(self.problems):,} problems"
        return f"<CheckReport {self.path!r}: {found}{', SIMULATED' if self.simulated else ''}>"

    def _shown(self) -> Shown:
        if self.ok:
            return Shown(f"{self.path}: can be used", self.simulated, tables=(("What is in it", self.summary),))
        table = pd.DataFrame([(p.where, p.what) for p in self.problems], columns=["where", "what"], dtype=object)
        bad = (f"{len(self.problems):,} problems; the study cannot be used.",)
        return Shown(self.path, warnings=bad, tables=(("What is wrong", table),))


def check_study(path: str | Path) -> CheckReport:
    """Check a study's files; never raises for what is in them.

    Parameters
    ----------
    path
        As for :func:`~pluristats.study.load_study`.
    """
    study, problems = read_study(path)
    rows = [] if study is None else _summary(study)
    return CheckReport(str(path), tuple(problems), pd.DataFrame(rows, columns=["item", "value"]))


def _summary(study: Study) -> list[tuple[str, object]]:
    ratings, prompts = study.ratings, study.prompts
    usable = ratings[ratings["rating"].notna()]
    codebook, dropped = study.codebook(), study.dropped()
    unmodelled = [
        name
        for table, known in ((study.annotators, {"annotator"}), (prompts, {"prompt", "text", "harm_level", "seed"}))
        for name in table.columns
        if name not in known and name not in set(codebook["column"])
    ]
    rows: list[tuple[str, object]] = [
        ("name", study.name),
        ("simulated", "yes" if study.simulated else "no"),
        ("released files, unchanged", _is_release(study)),
        ("annotators", len(study.annotators)),
        ("annotators without a usable rating", len(study.annotators) - usable["annotator"].nunique()),
        ("prompts", len(prompts)),
        ("prompts without a usable rating", len(prompts) - usable["prompt"].nunique()),
        ("seeds", prompts["seed"].nunique()),
        ("ratings asked", len(ratings)),
        ("usable ratings", len(usable)),
        *((f"rows, {row.reason}", row.rows) for row in dropped.itertuples()),
        *((f"columns in {group}", len(columns)) for group, columns in study.groups.items()),
        ("constant columns", ", ".join(codebook.loc[codebook["constant"], "column"]) or "none"),
        ("columns not modelled", ", ".join(unmodelled) or "none"),
        ("checksum", study.checksum),
    ]
    return rows


def _is_release(study: Study) -> str:
    read = study.source.files
    return "yes" if read and all(SHA256.get(file) == digest for file, digest in read.items()) else "no"
