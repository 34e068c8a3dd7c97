"""Who rated and what was rated: counts of annotators by trait, and of prompts by harm level and seed."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from pluristats.study import Study

COLUMNS = ("variable", "category", "count", "share")
NO_ANSWER = "no answer"


def annotator_composition(study: Study) -> pd.DataFrame:
    """Share of annotators with each answer to each demographic question, share = count / annotators.

    Parameters
    ----------
    study
        Its labelled traits are counted as they were answered, before any coding; answers of several labels ("White,
        Asian") are categories of their own. Traits that are numbers are left out.

    Returns
    -------
    DataFrame
        One row a trait and answer: ``variable`` (the column), ``category``, ``count``, ``share``. Answers that the
        codebook orders come in that order, others with the most frequent first; ``"no answer"`` is last.
    """
    rows: list[tuple[str, str, int, float]] = []
    for coding in study.codings:
        if coding.numeric:
            continue
        cells = study.annotators_[coding.column]
        answers = [NO_ANSWER if pd.isna(cell) or not str(cell).strip() else str(cell).strip() for cell in cells]
        counts = pd.Series(answers, dtype=object).value_counts()
        known = list(coding.labels) if coding.rule == "labels" else []
        place = {label: i for i, label in enumerate(sorted(known, key=lambda label: coding.labels[label]))}
        order = sorted(counts.index, key=lambda a: (a == NO_ANSWER, place.get(a, len(place)), -counts[a], a))
        rows += [(coding.column, answer, int(counts[answer]), counts[answer] / len(answers)) for answer in order]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def prompt_composition(study: Study) -> pd.DataFrame:
    """Share of prompts at each harm level, and of seeds by how many prompts they have.

    Parameters
    ----------
    study
        One without harm levels has rows of seeds only.

    Returns
    -------
    DataFrame
        ``variable`` (``"harm_level"``: shares of prompts; ``"prompts of a seed"``: shares of seeds), ``category``,
        ``count``, ``share``.
    """
    prompts = study.prompts_
    levels = prompts["harm_level"].dropna() if "harm_level" in prompts else pd.Series(dtype=float)
    per_seed = prompts.groupby("seed", dropna=True).size()
    rows = [
        *_counted("harm_level", levels.tolist(), len(prompts)),
        *_counted("prompts of a seed", per_seed.tolist(), len(per_seed)),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _counted(variable: str, values: Iterable[float], whole: int) -> list[tuple[str, str, int, float]]:
    counts = pd.Series(values, dtype=float).value_counts().sort_index()
    return [(variable, f"{value:g}", int(n), n / whole) for value, n in counts.items()]
