"""The three parts of a study out of its text tables, every cell checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pluristats.errors import Problem
from pluristats.study.cells import Test, check, id_tests, label_test, melt, number_tests, numbers
from pluristats.study.layout import RESERVED, Layout
from pluristats.study.tables import Table, place, show

_TAKEN = "this name has a fixed meaning in a frame; rename the column"
_ANY = (float("-inf"), float("inf"))


@dataclass(frozen=True)
class Part:
    """Annotators or prompts.

    Parameters
    ----------
    keys
        Identifiers as text without spaces around them, in file order.
    table
        The other columns, one row an identifier.
    features
        Column names by feature group (prompts only).
    """

    keys: tuple[str, ...]
    table: pd.DataFrame
    features: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class RatingCells:
    """Ratings as asked for, one row each.

    Parameters
    ----------
    cells
        ``row``, ``column``, ``value`` (rating as text), ``annotator``, ``prompt`` (keys), ``trial`` (text).
    """

    cells: pd.DataFrame


def read_annotators(layout: Layout, table: Table, problems: list[Problem]) -> Part | None:
    """Read one row an annotator: identifiers, and traits as labels or numbers."""
    ratings = [_wildcard(pattern) for pattern in (layout.rating, layout.trial) if pattern] if layout.wide else []
    if not _has_rows(table, "annotator", problems) or not _has(table, [layout.annotator], problems):
        return None
    check(table.file, melt(table, [layout.annotator]), id_tests("annotator"), problems)
    columns: dict[str, object] = {}
    traits = [coding for coding in layout.traits if _has(table, [coding.column], problems)]
    for coding in traits:
        cells = melt(table, [coding.column])
        missing = ("", *coding.missing)
        if coding.numeric:
            remedy = "write a number, or leave it empty for no answer"
            check(table.file, cells, number_tests("trait", *_ANY, missing, remedy), problems)
            columns[coding.column] = numbers(cells["value"], missing)
        else:
            known = (*coding.labels, *coding.missing)
            check(table.file, cells, [label_test(coding.knows, known)], problems)
            columns[coding.column] = cells["value"].tolist()
    for name in table.header:
        if name == layout.annotator or name in columns or any(rating.fullmatch(name) for rating in ratings):
            continue
        _keep_extra(table, name, columns, problems)
    return Part(_keys(table, layout.annotator), pd.DataFrame(columns), {})


def read_prompts(layout: Layout, table: Table, problems: list[Problem]) -> Part | None:
    """Read one row a prompt: identifier, text, harm level, seed, and features as numbers."""
    if not _has_rows(table, "prompt", problems) or not _has(table, [layout.prompt], problems):
        return None
    before = len(problems)
    check(table.file, melt(table, [layout.prompt]), id_tests("prompt"), problems)
    n = len(table.frame)
    columns: dict[str, object] = {"text": [""] * n, "harm_level": np.full(n, np.nan), "seed": np.arange(1, n + 1)}
    if layout.text and _has(table, [layout.text], problems):
        columns["text"] = table.frame[layout.text].tolist()
    if layout.harm_level and _has(table, [layout.harm_level], problems):
        harm_level = _numbers(table, [layout.harm_level], "harm level", layout.harm_range, problems)
        columns["harm_level"] = harm_level[layout.harm_level]
    features: dict[str, tuple[str, ...]] = {}
    traits = {coding.column for coding in layout.traits}
    for group, spec in layout.features.items():
        features[group] = _expand(table, spec.columns, problems)
        for name in features[group]:
            if name in columns or name in RESERVED or name in traits:
                what = "is in two feature groups; keep one" if name not in {*RESERVED, *traits} else _TAKEN
                problems.append(Problem(place(table.file, 1, name), what))
        columns.update(_numbers(table, features[group], "feature", (spec.low, spec.high), problems))
    seed = layout.seed or ("seed" if "seed" in table.header else None)
    if seed and _has(table, [seed], problems):
        not_empty = Test(lambda values: values.str.strip() != "", "is empty; every prompt needs a seed")
        check(table.file, melt(table, [seed]), [not_empty], problems)
        columns["seed"] = identifiers(_keys(table, seed))
    elif layout.seeds_from and len(problems) == before:
        rows = zip(*(columns[name] for group in layout.seeds_from for name in features[group]), strict=True)  # type: ignore[call-overload]
        columns["seed"] = pd.factorize(pd.Series(list(rows), dtype=object))[0] + 1
    used = {
        layout.prompt,
        layout.text,
        layout.harm_level,
        seed,
        *(name for names in features.values() for name in names),
    }
    for name in table.header:
        if name not in used:
            _keep_extra(table, name, columns, problems)
    return Part(_keys(table, layout.prompt), pd.DataFrame(columns), features)


def read_ratings(layout: Layout, table: Table, problems: list[Problem]) -> RatingCells | None:
    """Read the ratings, long or wide, as text cells with their annotator and prompt, and check their values."""
    cells = _wide(layout, table, problems) if layout.wide else _long(layout, table, problems)
    if cells is None:
        return None
    low, high = layout.scale
    remedy = "write a number, or leave it empty for Unsure"
    check(table.file, cells, number_tests("rating", low, high, ("", *layout.missing), remedy), problems)
    trials = cells.assign(value=cells["trial"], column=cells["trial_column"])
    remedy = "write the position in which the prompt was shown, or leave it empty"
    check(table.file, trials, number_tests("trial", *_ANY, ("",), remedy), problems)
    return RatingCells(cells)


def _wide(layout: Layout, table: Table, problems: list[Problem]) -> pd.DataFrame | None:
    pattern = _wildcard(layout.rating)
    if not _has_rows(table, "annotator", problems):
        return None
    matches = {name: pattern.fullmatch(name) for name in table.header if name != layout.ratings_annotator}
    columns = {name: match[1].strip() for name, match in matches.items() if match}
    if not columns:
        what = "no column of this form; the ratings need one column a prompt"
        problems.append(Problem(place(table.file, 1, layout.rating), what))
        return None
    trials = [layout.trial.replace("*", key) for key in columns.values()] if layout.trial else []
    if not _has(table, [layout.ratings_annotator], problems) or not _has(table, trials, problems):
        return None
    if layout.ratings_file != layout.annotators_file:  # else they were checked as annotators
        check(table.file, melt(table, [layout.ratings_annotator]), id_tests("annotator"), problems)
    cells = melt(table, list(columns))
    cells["annotator"] = np.repeat(_keys(table, layout.ratings_annotator), len(columns))
    cells["prompt"] = cells["column"].map(columns)
    cells["trial"] = melt(table, trials)["value"] if trials else ""
    cells["trial_column"] = melt(table, trials)["column"] if trials else ""
    return cells


def _long(layout: Layout, table: Table, problems: list[Problem]) -> pd.DataFrame | None:
    prompt = layout.ratings_prompt or ""
    needed = [layout.ratings_annotator, prompt, layout.rating, *([layout.trial] if layout.trial else [])]
    if not _has_rows(table, "rating", problems) or not _has(table, needed, problems):
        return None
    for column, what in ((layout.ratings_annotator, "annotator"), (prompt, "prompt")):
        there = Test(lambda values: values.str.strip() != "", f"is empty; every rating needs its {what}")
        check(table.file, melt(table, [column]), [there], problems)
    cells = melt(table, [layout.rating])
    cells["annotator"] = _keys(table, layout.ratings_annotator)
    cells["prompt"] = _keys(table, prompt)
    cells["trial"] = table.frame[layout.trial].tolist() if layout.trial else ""
    cells["trial_column"] = layout.trial or ""
    twice = cells[cells.duplicated(["annotator", "prompt"])]
    for row, annotator, item in twice[["row", "annotator", "prompt"]].itertuples(index=False):
        what = f"annotator {show(annotator)} has rated prompt {show(item)} before; keep one rating"
        problems.append(Problem(place(table.file, int(row)), what))
    return cells


def identifiers(keys: Sequence[str]) -> list[int] | list[str]:
    """Identifiers as integers where all are plain integers ("7", not "07"), else as text."""
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", key) for key in keys):
        return [int(key) for key in keys]
    return list(keys)


def _keys(table: Table, column: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in table.frame[column])


def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", "(.+)"), re.DOTALL)


def _numbers(
    table: Table, columns: Sequence[str], what: str, limits: tuple[float, float], problems: list[Problem]
) -> dict[str, np.ndarray]:
    """Columns as numbers; all of them are checked in one go, because each go has a price."""
    if not columns:
        return {}
    cells = melt(table, columns)
    check(table.file, cells, number_tests(what, *limits, (), "write a number"), problems)
    parsed = numbers(cells["value"]).reshape(-1, len(columns))
    return {name: parsed[:, i] for i, name in enumerate(columns)}


def _expand(table: Table, columns: Sequence[str], problems: list[Problem]) -> tuple[str, ...]:
    """Columns that are there; a name with ``*`` stands for all that match."""
    found: list[str] = []
    for column in columns:
        if "*" not in column:
            found += [column] if _has(table, [column], problems) else []
            continue
        matches = [name for name in table.header if _wildcard(column).fullmatch(name)]
        if not matches:
            problems.append(Problem(place(table.file, 1, column), "no column matches; correct the pattern"))
        found += matches
    return tuple(dict.fromkeys(found))


def _has(table: Table, columns: Sequence[str], problems: list[Problem]) -> bool:
    absent = [name for name in columns if name not in table.header]
    for name in absent:
        problems.append(Problem(place(table.file, 1, name), "the column is missing; add it or correct its name"))
    return not absent


def _has_rows(table: Table, what: str, problems: list[Problem]) -> bool:
    if table.frame.empty:
        problems.append(Problem(place(table.file), f"has a header but no rows; it needs one row a {what}"))
    return not table.frame.empty


def _keep_extra(table: Table, name: str, columns: dict[str, object], problems: list[Problem]) -> None:
    """Keep a column that the layout does not name, as text; it is not in the frame."""
    if name in RESERVED:
        what = "this name has a fixed meaning; rename the column, or say in a study.yaml what it is"
        problems.append(Problem(place(table.file, 1, name), what))
    else:
        columns[name] = table.frame[name].tolist()
