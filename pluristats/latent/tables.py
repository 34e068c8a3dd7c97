"""Real behaviour as a table: one row a trial of an agent, columns agent, trial and what the model reads.

========== ======================================================================================================
agent      any name or number
trial      whole number; gaps are missing trials, and agents may have different numbers of them
action     0 or 1: the option, or 0 right and 1 left side (``hrl``), 0 left and 1 right (``meta-rl``, ``glm-hmm``)
reward     0 or 1
stimulus   a number, signed: negative is left (``glm-hmm``)
arrow0..2  1 where the cue's arrow points left, 0 right (``hrl``)
========== ======================================================================================================

A model says which of them it reads (``Model.columns``); other columns are not read. An empty cell makes the trial a
missing one: filters and networks see that it was there, and nothing of what happened in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.distinct import factorise
from pluristats.errors import LatentError
from pluristats.latent.record import Array, Ints, Mask, Model, Sequences, Trials

if TYPE_CHECKING:
    import pandas as pd

# Trials of the longest agent over its rows, beyond which numbers are no count of trials.
_SPARSEST = 20


@dataclass(frozen=True)
class Domain:
    """Values of a column: whole numbers or any, from ``low`` to ``high``."""

    low: float
    high: float
    whole: bool

    def __str__(self) -> str:
        if self.whole and self.high - self.low == 1:
            return f"{self.low:g} or {self.high:g}"
        span = "" if np.isinf(self.low) and np.isinf(self.high) else f" from {self.low:g} to {self.high:g}"
        return f"a {'whole ' if self.whole else ''}number{span}"

    def holds(self, x: Array) -> Mask:
        """Whether values are of the domain, elementwise."""
        inside = np.isfinite(x) & (x >= self.low) & (x <= self.high)
        return inside & (x == np.round(x)) if self.whole else inside


_BINARY = Domain(0, 1, whole=True)
_ANY = Domain(-np.inf, np.inf, whole=False)
DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {"action": _BINARY, "reward": _BINARY, "stimulus": _ANY} | {f"arrow{k}": _BINARY for k in range(3)}
)
_TRIAL = Domain(-1e9, 1e9, whole=True)


@dataclass(frozen=True, eq=False)
class Behaviour(Displayed):
    """What agents did.

    Parameters
    ----------
    agents
        Their names as text, in the table's order; N.
    trials
        Raw columns by name, each (N, T), for ``Model.encode`` and the baselines; -1 or NaN in missing trials.
    first
        Number of the first trial (column 0 of the arrays).
    rows
        Row of the table of each trial, shape (N, T), counted from 0 in the order of the table; -1 without one.
    source
        File or what was given.
    simulated
        Whether the table says so in a column ``simulated``.
    """

    agents: tuple[str, ...]
    trials: Trials
    first: int
    rows: Ints
    source: str
    simulated: bool

    def __repr__(self) -> str:
        n, t = self.rows.shape
        simulated = mark(self.simulated)
        return f"<Behaviour from {self.source!r}: {n:,} agents over {t:,} trials{simulated}>"

    def _shown(self) -> Shown:
        import pandas as pd

        table = pd.DataFrame(
            {"agent": pd.Series(self.agents, dtype=object), "trials": (self.rows >= 0).sum(axis=1)},
        )
        return Shown(
            "What agents did",
            self.simulated,
            lines=(f"From {self.source}: {', '.join(self.trials)}.",),
            tables=(("Trials of each agent", table),),
        )

    def sequences(self, model: Model) -> Sequences:
        """Inputs for a model."""
        return model.encode(self.trials)


def read_behaviour(path: str | Path, model: Model, *, domains: Mapping[str, Domain] = DOMAINS) -> Behaviour:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path
        Ends in .csv or .parquet.
    model
        Says which columns are read.
    domains
        Values of the columns; a column that is not in it may be any number.

    Raises
    ------
    LatentError, StudyError
        The file cannot be read, or a cell cannot be used; the message names file, row (as a spreadsheet counts them,
        the header is row 1), column, value and remedy.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        from pluristats.study.csvfile import read_csv

        return behaviour_of(read_csv(path), model, name=path.name, domains=domains)
    if path.suffix.lower() == ".parquet":
        return behaviour_of(_parquet(path), model, name=path.name, domains=domains)
    raise LatentError(f"{_plain(path.name)}: behaviour is read from .csv or .parquet files; save it as one of them.")


def behaviour_of(
    table: pd.DataFrame, model: Model, *, name: str = "table", domains: Mapping[str, Domain] = DOMAINS
) -> Behaviour:
    """The same from a DataFrame, whose index labels are the rows' names in messages.

    Parameters
    ----------
    table
        One row a trial of an agent, in any order.
    model, domains
        As in :func:`read_behaviour`.
    name
        What messages call the table.
    """
    _check_header(table, model, name)
    agent, agents = _agents(table, name)
    trial = _numbers(table, "trial", _TRIAL, name, missing=False).astype(np.int64)
    first, n_trials = _extent(table, agent, trial, name)
    rows = np.full((len(agents), n_trials), -1, dtype=np.int64)
    rows[agent, trial - first] = np.arange(len(table))
    _check_repeats(table, agent, trial, rows[agent, trial - first], agents, name)
    trials = {c: _column(table, c, domains.get(c, _ANY), name, rows) for c in model.columns}
    seen = model.encode(trials).mask.any(axis=1)
    if not seen.all():
        raise LatentError(
            f"{_plain(name)}: agent {agents[int(np.argmin(seen))]!r} has no trial with all of "
            f"{', '.join(model.columns)}; leave the agent out."
        )
    simulated = "simulated" in table.columns and bool(table["simulated"].isin([True, 1, "True", "true"]).any())
    return Behaviour(agents, MappingProxyType(trials), first, rows, name, simulated)


def _check_header(table: pd.DataFrame, model: Model, name: str) -> None:
    needed = ("agent", "trial", *model.columns)
    if absent := [c for c in needed if c not in table.columns]:
        raise LatentError(
            f"{_plain(name)}: column {absent[0]!r} is missing; model {model.name!r} reads {', '.join(needed)}, rename "
            "the columns so."
        )
    if twice := [c for c in needed if list(table.columns).count(c) > 1]:
        raise LatentError(f"{_plain(name)}: column {twice[0]!r} stands there twice; keep one of them.")
    if not len(table):
        raise LatentError(f"{_plain(name)} has a header but no rows; give one row a trial.")


def _agents(table: pd.DataFrame, name: str) -> tuple[Ints, tuple[str, ...]]:
    """Code of each row's agent, and the agents' names."""
    missing = table["agent"].isna().to_numpy()
    if missing.any():
        raise _cell(table, int(np.argmax(missing)), "agent", name, "is empty; every trial is some agent's, name it")
    codes, found = factorise(table["agent"])
    return codes.astype(np.int64), tuple(_name(value) for value in found)


def _name(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _numbers(table: pd.DataFrame, column: str, domain: Domain, name: str, *, missing: bool = True) -> Array:
    """A column as floats, NaN where it is empty."""
    import pandas as pd

    cells = table[column]
    empty = cells.isna().to_numpy()
    logical = cells.map(lambda x: isinstance(x, bool | np.bool_)).to_numpy()
    values = pd.to_numeric(cells.where(~logical), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~(domain.holds(values) | (empty & missing))
    if wrong.any():
        more = f" ({int(wrong.sum()) - 1} more such cells)" if wrong.sum() > 1 else ""
        remedy = "leave the cell empty where the trial is missing" if missing else "number each agent's trials"
        raise _cell(table, int(np.argmax(wrong)), column, name, f"is not {domain}; {remedy}{more}")
    return values


def _extent(table: pd.DataFrame, agent: Ints, trial: Ints, name: str) -> tuple[int, int]:
    """Number of the first trial, and trials from it to the last one."""
    first, most = int(trial.min()), int(np.bincount(agent).max())
    n_trials = int(trial.max()) - first + 1
    if n_trials > max(_SPARSEST * most, 1000):
        what = (
            f"is {n_trials} trials after the first one, {first}, but no agent has more than {most} rows; number the "
            "trials of each agent 1, 2, 3, …"
        )
        raise _cell(table, int(np.argmax(trial)), "trial", name, what)
    return first, n_trials


def _check_repeats(
    table: pd.DataFrame, agent: Ints, trial: Ints, kept: Ints, agents: tuple[str, ...], name: str
) -> None:
    twice = kept != np.arange(len(trial))
    if twice.any():
        row = int(np.argmax(twice))
        what = f"stands twice for agent {agents[agent[row]]!r} (also in row {table.index[kept[row]]}); keep one of them"
        raise _cell(table, row, "trial", name, what)


def _column(table: pd.DataFrame, column: str, domain: Domain, name: str, rows: Ints) -> Any:
    """A raw column, shape (N, T): integers with -1 where there is none, or floats with NaN."""
    values = np.where(rows >= 0, _numbers(table, column, domain, name)[rows], np.nan)
    return np.where(np.isnan(values), -1, values).astype(np.int64) if domain.whole and domain.low >= 0 else values


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise LatentError(f"{_plain(path.name)}: Parquet needs pyarrow; pip install 'pluristats[arrow]'.") from None
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # of pandas and pyarrow, many kinds
        raise LatentError(f"{_plain(path.name)} cannot be read as Parquet ({_plain(error)}); save it again.") from None
    return table.set_axis(pd.RangeIndex(2, len(table) + 2, name="row"))


def _cell(table: pd.DataFrame, row: int, column: str, name: str, what: str) -> LatentError:
    from pluristats.study.tables import place, show

    where = f"{place(name)}, row {_plain(table.index[row])}, column {_plain(column)}"
    value = table[column].iloc[row]
    # CSV's numbers are floats; a person wrote 2, not 2.0.
    return LatentError(f"{where}: {show(f'{value:g}' if isinstance(value, float) else value)} {what}.")


def _plain(name: object) -> str:
    from pluristats.study.tables import plain

    return plain(name)
