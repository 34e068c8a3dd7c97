"""Prompts to take features of: variants as `pluristats generate` writes them, or any table with an id and a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from pluristats.errors import GenerateError, Problem
from pluristats.study.tables import place, show
from pluristats.texts.cells import read_identifier, read_text_cell
from pluristats.texts.files import read_table, unmarked

_VARIANTS = ("seed", "level", "text", "status", "seed_text")
_Read = Callable[[object, str, list[Problem]], Any]
_OWN = ("prompt", "text", "seed", "seed_text", "harm_level", "simulated")


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts, one row each.

    Parameters
    ----------
    table
        ``prompt`` (identifier, unique), ``text``, ``seed`` (identifier; the prompt's own where the file names none),
        ``seed_text`` (missing where it is not known), ``harm_level`` (missing likewise), ``simulated`` (the text comes
        from a simulated endpoint), then every other column of the file.
    source
        Where they come from.
    left_out
        Rows of the file without a text, as variants that a model refused: ``row``, ``prompt``, ``reason``.
    """

    table: pd.DataFrame
    source: str
    left_out: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def units(self, by: str) -> pd.DataFrame:
        """What is analysed: columns ``unit`` (identifier) and ``text``, one row each, in order of first occurrence.

        Parameters
        ----------
        by
            ``"seed"``: each seed's own text, once, as in the PluriHarms release; ``"prompt"``: each prompt.

        Raises
        ------
        GenerateError
            ``by`` is something else, or seeds without a text (or with two) are asked for.
        """
        if by == "prompt":
            return self.table[["prompt", "text"]].rename(columns={"prompt": "unit"})
        if by != "seed":
            raise GenerateError(f"by is {by!r}; it is 'seed' or 'prompt'")
        seeds = self.table[["seed", "seed_text"]].drop_duplicates(ignore_index=True)
        for reason, bad in (("no text", seeds["seed_text"].isna()), ("two texts", seeds["seed"].duplicated())):
            if bad.any():
                raise GenerateError(
                    f"{self.source}: seed {show(seeds.loc[bad, 'seed'].iloc[0])} has {reason} in column 'seed_text'; "
                    "give each seed one, or take features by prompt (by='prompt', --by prompt)"
                )
        return seeds.rename(columns={"seed": "unit", "seed_text": "text"})


def load_prompts(path: str | Path, *, id_column: str = "prompt", text_column: str = "text") -> Prompts:
    """Prompts from a CSV, JSONL or Parquet file.

    A table of variants (`Variants.write`) is known by its columns; a variant's identifier is ``seed@level``, and rows
    without a text are left out and listed. Of any other table every row must have an identifier and a text; columns
    ``seed``, ``seed_text``, ``harm_level`` and ``simulated`` mean what `Prompts` says, where they are there.

    Parameters
    ----------
    path
        The file.
    id_column, text_column
        Which columns identify and hold the prompts (of tables that are not variants).

    Raises
    ------
    GenerateError
        With file, row and column of the first problem, and how many more there are.
    """
    path = Path(path)
    frame, first = read_table(path)
    if set(_VARIANTS) <= set(frame) and id_column not in frame:
        if path.suffix.lower() == ".csv":
            frame = unmarked(frame)
        return _prompts(*_of_variants(frame, path.name, first), path.name, first)
    for name, option in ((id_column, "id_column"), (text_column, "text_column")):
        if name not in frame:
            raise GenerateError(
                f"{path.name}: there is no column {name!r} among {', '.join(map(repr, frame))[:300]}; name the column "
                f"with {option}= (--{option.replace('_', '-')})"
            )
    names = {id_column: "prompt", text_column: "text"}
    clash = [name for name in names.values() if name in frame and name not in names]
    if clash or len(names) < 2:
        raise GenerateError(
            f"{path.name}: column {(clash or [id_column])[0]!r} would stand for two things; rename it, or name other "
            "columns with id_column= and text_column="
        )
    return _prompts(frame.rename(columns=names), _nothing(), path.name, first)


def prompts_of(table: pd.DataFrame, source: str = "the table") -> Prompts:
    """Prompts of a DataFrame with the columns ``prompt`` and ``text`` (see `load_prompts`).

    Raises
    ------
    GenerateError
        As `load_prompts`; rows are numbered from 0.
    """
    for name in ("prompt", "text"):
        if name not in table:
            raise GenerateError(f"{source}: there is no column {name!r}; a prompt has an identifier and a text")
    return _prompts(table.reset_index(drop=True), _nothing(), source, 0)


def _of_variants(frame: pd.DataFrame, file: str, first: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = frame.reset_index(drop=True)
    frame.insert(0, "prompt", [f"{seed}@{_level(level)}" for seed, level in zip(frame.seed, frame.level, strict=True)])
    bad = frame["status"].ne("ok") | frame["text"].isna()
    lines = frame.loc[bad]
    reason = lines["reason"] if "reason" in lines else pd.Series(None, index=lines.index, dtype=object)
    left_out = pd.DataFrame(
        {
            "row": lines.index + first,
            "prompt": lines["prompt"],
            "reason": [f"{s}: {r}" if isinstance(r, str) else s for s, r in zip(lines["status"], reason, strict=True)],
        }
    )
    if bad.all():
        raise GenerateError(f"{file}: no variant has a text (status ok); run `pluristats generate` to its end first")
    return frame.rename(columns={"level": "harm_level"}), left_out.reset_index(drop=True)


def _level(level: object) -> object:
    try:
        return f"{float(level):g}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return level


def _prompts(frame: pd.DataFrame, left_out: pd.DataFrame, file: str, first: int) -> Prompts:
    frame = frame.loc[~frame.index.isin(left_out["row"] - first)]
    problems: list[Problem] = [] if len(frame) else [Problem(file, "has no rows; there is nothing to take features of")]

    def column(name: str, read: _Read, needed: bool = False) -> list[Any]:
        if name not in frame:
            return [None] * len(frame)
        places = [place(file, int(row) + first, name) for row in frame.index]
        return [
            None if _missing(cell) and not needed else read(cell, where, problems)
            for cell, where in zip(frame[name].tolist(), places, strict=True)
        ]

    names = column("prompt", read_identifier, needed=True)
    row_of: dict[str, int] = {}
    for row, name in zip(frame.index, names, strict=True):
        if name and (same := row_of.setdefault(name, int(row))) != row:
            where = place(file, int(row) + first, "prompt")
            problems.append(Problem(where, f"{show(name)} stands in row {same + first} too; make it unique"))
    texts = column("text", read_text_cell, needed=True)
    own = "seed" not in frame  # every prompt is its own seed
    table = pd.DataFrame(
        {
            "prompt": names,
            "text": texts,
            "seed": names if own else column("seed", read_identifier, needed=True),
            "seed_text": texts if own else column("seed_text", read_text_cell),
            "harm_level": column("harm_level", _harm_level),
        },
        dtype=object,
    )
    if problems:
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise GenerateError(f"{problems[0]}{more}")
    simulated = frame["simulated"].map(_truth).to_numpy() if "simulated" in frame else False
    rest = frame[[name for name in frame.columns if name not in _OWN]].reset_index(drop=True)
    table = table.astype({"harm_level": float}).assign(simulated=simulated)
    return Prompts(pd.concat([table, rest], axis="columns"), file, left_out)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"row": pd.Series(dtype=int), "prompt": [], "reason": []})


def _truth(value: object) -> bool:
    """CSV has True as text; what is not plainly false counts as simulated."""
    return str(value).strip().casefold() not in ("false", "0", "", "nan", "none")


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value) or value is pd.NA or value == ""


def _harm_level(value: object, where: str, problems: list[Problem]) -> float:
    try:
        level = float(value) if isinstance(value, str | Real) else float("nan")
    except ValueError:
        level = float("nan")
    if not 0 <= level <= 1:
        problems.append(Problem(where, f"{show(value)} is no harm level: a number from 0 to 1"))
    return level
