"""Target distributions: what share of a selection's mass each category of each axis should have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from pathlib import Path
from typing import Any, Literal, get_args

from pluristats.display.shown import Displayed, Shown
from pluristats.display.text import one_line
from pluristats.errors import TargetError
from pluristats.packaged import packaged

Mass = Literal["shares", "argmax", "presence"]
MASSES: tuple[Mass, ...] = get_args(Mass)
Category = float | str
# Shares may be rounded as a table prints them; further off they are something else.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Axis:
    """One axis of a target.

    Parameters
    ----------
    name
        Such as ``"harm"``.
    column
        A column whose value is a row's category (harm_level: each row has mass 1 there); or
    prefix
        of columns that are one category each, and hold a row's mass of it.
    shares
        (category, share), shares summing to 1; None: every category of the pool alike. A category is a column's value,
        or a column's name with or without the prefix.
    weight
        Of the axis in the mean divergence, above 0.
    mass
        What a row's mass is, of columns with a prefix: ``shares`` the number itself (its absolute value where
        ``signed``), ``argmax`` 1 in the category with the largest (the first of equals), ``presence`` 1 in each that is
        not 0. A row that is 0 everywhere has none.
    signed
        Whether numbers below 0 are meant (valences).

    Raises
    ------
    TargetError
        For anything else than this.
    """

    name: str
    column: str | None = None
    prefix: str | None = None
    shares: tuple[tuple[Category, float], ...] | None = None
    weight: float = 1.0
    mass: Mass = "shares"
    signed: bool = False

    def __post_init__(self) -> None:
        where = f"axis {self.name!r}"
        if (self.column is None) == (self.prefix is None):
            raise TargetError(f"{where} has a column or a prefix of columns: name one of them, and only one.")
        named = self.column if self.prefix is None else self.prefix
        if not isinstance(named, str) or not named:
            raise TargetError(f"{where}: column or prefix is a text, not {named!r}.")
        if not _number(self.weight) or not 0 < self.weight < math.inf:
            raise TargetError(f"{where}: weight is a number above 0, not {self.weight!r}.")
        if self.mass not in MASSES:
            raise TargetError(f"{where}: mass is one of {', '.join(MASSES)}, not {self.mass!r}.")
        if not isinstance(self.signed, bool):
            raise TargetError(f"{where}: signed is true or false, not {self.signed!r}.")
        if self.shares is not None:
            object.__setattr__(self, "shares", _shares(self.shares, where))


@dataclass(frozen=True)
class Target(Displayed):
    """What a selection should be like.

    Parameters
    ----------
    name
        How tables call it.
    axes
        At least one, names distinct.
    source
        Where the numbers are from.
    """

    name: str
    axes: tuple[Axis, ...]
    source: str = ""

    def __post_init__(self) -> None:
        if not self.axes:
            raise TargetError(f"target {self.name!r} has no axes; give at least one.")
        names = [axis.name for axis in self.axes]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise TargetError(f"target {self.name!r} has two axes called {min(twice)!r}; name them differently.")

    def __repr__(self) -> str:
        return f"<Target {self.name!r}: {one_line(', '.join(axis.name for axis in self.axes))}>"

    def _shown(self) -> Shown:
        import pandas as pd

        rows = [
            (axis.name, axis.column or f"{axis.prefix}…", axis.weight, "one column" if axis.column else axis.mass)
            for axis in self.axes
        ]
        columns = ["axis", "columns", "weight", "mass"]
        tables = [("Axes", pd.DataFrame(rows, columns=columns, dtype=object).astype({"weight": float}))]
        for axis in self.axes:
            if axis.shares is not None:
                shares = pd.DataFrame(
                    [(str(c), share) for c, share in axis.shares], columns=["category", "share"], dtype=object
                )
                tables.append((f"Shares of {axis.name}", shares.astype({"share": float})))
        return Shown(f"Target: {self.name}", lines=(self.source,) * bool(self.source), tables=tuple(tables))

    def with_(
        self, *, weights: Mapping[str, float] | None = None, masses: Mapping[str, Mass] | Mass | None = None
    ) -> Target:
        """The target with other weights of axes, or other masses.

        Parameters
        ----------
        weights
            By axis; others keep theirs.
        masses
            By axis, or one for every axis of columns with a prefix.

        Raises
        ------
        TargetError
            There is no such axis, or the value is none.
        """
        of_columns = {axis.name for axis in self.axes if axis.prefix is not None}
        mass = dict.fromkeys(of_columns, masses) if isinstance(masses, str) else dict(masses or {})
        for name in (*(weights or {}), *mass):
            if name not in {axis.name for axis in self.axes}:
                raise TargetError(
                    f"target {self.name!r} has no axis {name!r}; it has {_listed(a.name for a in self.axes)}."
                )
            if name in mass and name not in of_columns:
                raise TargetError(f"axis {name!r} is one column, where every row has mass 1; leave out its mass.")
        axes = tuple(
            replace(axis, weight=(weights or {}).get(axis.name, axis.weight), mass=mass.get(axis.name, axis.mass))
            for axis in self.axes
        )
        return replace(self, axes=axes)


def load_target(name: str | Path = "pluriharms") -> Target:
    """Target by name from ``generation/targets/``, or from a YAML file.

    Parameters
    ----------
    name
        ``"pluriharms"``, ``"uniform"``, or the path of a file that ends in .yaml or .yml: a mapping with ``name``,
        ``source`` and ``axes``, each axis a mapping with the keys of `Axis`; ``shares`` is a mapping from categories to
        shares, or ``uniform``.

    Raises
    ------
    TargetError
        There is no such target or file, or it cannot be used; the message names the key.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        known = target_names()
        if str(name) not in known:
            raise TargetError(f"there is no target {str(name)!r}; there are {_listed(known)}, or give a YAML file.")
        path = packaged("generation") / "targets" / f"{name}.yaml"
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetError(f"{path} cannot be read ({error.strerror}); give the path of a target.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TargetError(f"{path} is not readable YAML: {' '.join(str(error).split())[:200]}.") from None
    try:
        return _from_yaml(content, path.stem)
    except TargetError as error:
        raise TargetError(f"{path}: {error}") from None


def target_names() -> tuple[str, ...]:
    """Names of the targets in ``generation/targets/``."""
    return tuple(sorted(path.stem for path in (packaged("generation") / "targets").glob("*.yaml")))


def _from_yaml(content: object, stem: str) -> Target:
    _keys(content, ("name", "source", "axes"), "a target")
    assert isinstance(content, dict)
    axes = content.get("axes")
    if not isinstance(axes, dict) or not axes:
        raise TargetError("axes is a mapping from names of axes to what they are, and has at least one.")
    return Target(
        name=str(content.get("name", stem)),
        axes=tuple(_axis(str(name), given) for name, given in axes.items()),
        source=str(content.get("source", "")).strip(),
    )


def _axis(name: str, given: object) -> Axis:
    _keys(given, [field.name for field in fields(Axis) if field.name != "name"], f"axis {name!r}")
    assert isinstance(given, dict)
    shares = given.get("shares", "uniform")
    if isinstance(shares, Mapping):
        return Axis(name, **{**given, "shares": tuple(shares.items())})
    if shares != "uniform":
        raise TargetError(f"axis {name!r}: shares is a mapping from categories to shares, or uniform, not {shares!r}.")
    return Axis(name, **{**given, "shares": None})


def _keys(given: object, known: Iterable[str], what: str) -> None:
    if not isinstance(given, dict):
        raise TargetError(f"{what} is a mapping with keys among {_listed(known)}, not {given!r}.")
    for key in given:
        if key not in known:
            raise TargetError(f"{what} has no key {key!r}; the keys are {_listed(known)}.")


def _shares(given: Iterable[tuple[Any, Any]], where: str) -> tuple[tuple[Category, float], ...]:
    """Checked, and divided by their sum, which rounding may have moved from 1."""
    found: dict[Category, float] = {}
    for category, share in given:
        if isinstance(category, bool) or not isinstance(category, str | Real):
            raise TargetError(f"{where}: {category!r} is no category; a category is a text or a number.")
        key = category if isinstance(category, str) else float(category)
        if key in found:
            raise TargetError(f"{where} has category {category!r} twice; keep one.")
        if not _number(share) or not 0 <= share < math.inf:
            raise TargetError(f"{where}: the share of {category!r} is a number of at least 0, not {share!r}.")
        found[key] = float(share)
    total = math.fsum(found.values())
    if not abs(total - 1) <= ROUNDING:
        raise TargetError(f"{where}: the shares sum to {total:.6g}; they are parts of 1, so let them sum to 1.")
    return tuple((category, share / total) for category, share in found.items())


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(float(value))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
