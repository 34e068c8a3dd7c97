"""Weight profiles: what one person, group or fit holds against what, as 20, 29 or 36 numbers from 0 to 1.

Extents and likelihoods are coded relative to the next higher level, so that every profile is monotone: with the ratios
p = (minor/significant, significant/substantial, substantial/major) and q = (low/medium, medium/high),

    X = (p1 p2 p3, p2 p3, p3, 1),    L = (q1 q2, q2, 1).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import ProfileError
from pluristats.features.taxonomy import ACTION_COLUMNS, ACTIONS, EFFECT_COLUMNS, EFFECTS, normal
from pluristats.packaged import packaged

if TYPE_CHECKING:
    import pandas as pd

Sides = Literal["both", "harms", "benefits"]
LOOKED_AT: tuple[Sides, ...] = ("both", "harms", "benefits")


@dataclass(frozen=True)
class Discount:
    """What a leaf loses for being less than major, less than likely, or later.

    Parameters
    ----------
    extent
        Ratios minor/significant, significant/substantial, substantial/major.
    likelihood
        Ratios low/medium, medium/high.
    later
        Weight of a downstream effect relative to an immediate one.
    """

    extent: tuple[float, float, float] = (1.0, 1.0, 1.0)
    likelihood: tuple[float, float] = (1.0, 1.0)
    later: float = 1.0


@dataclass(frozen=True)
class Profile(Displayed):
    """Weights of the harmfulness model (:mod:`pluristats.features.harmfulness`), each from 0 to 1.

    Parameters
    ----------
    name
        How tables call it.
    actions
        Weight of each of the 16 harmful actions, in the order of `ACTIONS`; None does not look at actions.
    effects
        Weight of each of the 7 effects, in the order of `EFFECTS`; None does not look at effects.
    harms, benefits
        Discounts of harms and of benefits.
    benefit
        Weight b of benefits relative to harms, by which they lower a score.
    sides
        ``both``, or ``harms`` or ``benefits`` for a model that looks at one side only.
    source
        Where the numbers are from.

    Raises
    ------
    ProfileError
        A weight is not a number from 0 to 1, or there are too few or too many.
    """

    name: str
    actions: tuple[float, ...] | None = (1.0,) * len(ACTIONS)
    effects: tuple[float, ...] | None = None
    harms: Discount = Discount()
    benefits: Discount = Discount()
    benefit: float = 1.0
    sides: Sides = "both"
    source: str = ""

    def __post_init__(self) -> None:
        if self.sides not in LOOKED_AT:
            raise ProfileError(f"sides is one of {', '.join(LOOKED_AT)}, not {self.sides!r}.")
        set_ = object.__setattr__
        for group, size in (("actions", len(ACTIONS)), ("effects", len(EFFECTS))):
            values = getattr(self, group)
            if values is not None:
                set_(self, group, _weights(values, size, group))
        for side in ("harms", "benefits"):
            given = getattr(self, side)
            extent = _weights(given.extent, 3, f"{side}.extent")
            likelihood = _weights(given.likelihood, 2, f"{side}.likelihood")
            set_(self, side, Discount(cast(Any, extent), cast(Any, likelihood), _weight(given.later, f"{side}.later")))
        set_(self, "benefit", _weight(self.benefit, "benefit"))

    def __repr__(self) -> str:
        looks_at = [name for name in ("actions", "effects") if getattr(self, name) is not None]
        return f"<Profile {self.name!r}: {' and '.join(looks_at) or 'neither actions nor effects'}, {self.sides}>"

    def _shown(self) -> Shown:
        return Shown(
            f"Profile: {self.name}", lines=(self.source,) * bool(self.source), tables=(("Weights", self.tidy()),)
        )

    def with_(
        self,
        *,
        name: str | None = None,
        actions: Mapping[str, float] | None = None,
        effects: Mapping[str, float] | None = None,
        harms: Mapping[str, Any] | None = None,
        benefits: Mapping[str, Any] | None = None,
        benefit: float | None = None,
        sides: Sides | None = None,
    ) -> Profile:
        """The profile with some weights changed, as by sliders.

        Parameters
        ----------
        name
            Name of the new profile; the old one with a prime when absent.
        actions, effects
            Weights by category, ``{"Privacy": 1.0}``; the name of the column (``action_Privacy``) does as well. Of a
            group that this profile does not look at the others become 1, which changes nothing for known categories.
        harms, benefits
            Discounts by name: ``extent``, ``likelihood``, ``later``.
        benefit
            Weight of benefits.
        sides
            Which sides to look at.

        Raises
        ------
        ProfileError
            A name is unknown (the message suggests the nearest) or a weight is not a number from 0 to 1.
        """
        return Profile(
            name=f"{self.name}'" if name is None else name,
            actions=_changed(self.actions, actions, ACTIONS, "actions"),
            effects=_changed(self.effects, effects, EFFECTS, "effects"),
            harms=_discount(self.harms, harms, "harms"),
            benefits=_discount(self.benefits, benefits, "benefits"),
            benefit=self.benefit if benefit is None else benefit,
            sides=self.sides if sides is None else sides,
            source=f"{self.source}; changed" if self.source else "changed",
        )

    def tidy(self) -> pd.DataFrame:
        """One row a weight that the profile has: ``term`` (as in a fit), ``estimate``."""
        import pandas as pd

        from pluristats.features.layout import layout_of

        layout = layout_of(self)
        return pd.DataFrame({"term": list(layout.names), "estimate": layout.vector(self)})


def load_profile(name: str | Path) -> Profile:
    """Profile by name from ``generation/profiles/``, or from a YAML file.

    Parameters
    ----------
    name
        ``"safetyanalyst"``, ``"neutral"``, ``"graded"`` …, or the path of a file that ends in .yaml or .yml.

    Raises
    ------
    ProfileError
        There is no such profile or file, or it cannot be read; the message names the key.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        known = profile_names()
        if str(name) not in known:
            raise ProfileError(f"there is no profile {str(name)!r}; there are {', '.join(known)}, or give a YAML file.")
        path = packaged("generation") / "profiles" / f"{name}.yaml"
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path} cannot be read ({error.strerror}); give the path of a profile.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProfileError(f"{path} is not readable YAML: {' '.join(str(error).split())[:200]}.") from None
    try:
        return _from_yaml(content, path.stem)
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None


def profile_names() -> tuple[str, ...]:
    """Names of the profiles in ``generation/profiles/``."""
    return tuple(sorted(path.stem for path in (packaged("generation") / "profiles").glob("*.yaml")))


def _from_yaml(content: object, stem: str) -> Profile:
    keys = [field.name for field in fields(Profile)]
    if not isinstance(content, dict):
        raise ProfileError(f"a profile is a mapping with keys among {', '.join(keys)}.")
    for key in content:
        if key not in keys:
            raise ProfileError(f"there is no key {key!r}; the keys are {', '.join(keys)}.")
    return Profile(
        name=str(content.get("name", stem)),
        actions=_category_weights(content.get("actions"), ACTIONS, "actions"),
        effects=_category_weights(content.get("effects"), EFFECTS, "effects"),
        harms=_discount(Discount(), content.get("harms"), "harms"),
        benefits=_discount(Discount(), content.get("benefits"), "benefits"),
        benefit=content.get("benefit", 1.0),
        sides=content.get("sides", "both"),
        source=str(content.get("source", "")),
    )


def _category_weights(value: object, names: Sequence[str], group: str) -> tuple[float, ...] | None:
    """Weights from a mapping that names every category, or one number for all."""
    if value is None:
        return None
    if not isinstance(value, dict):
        return (_weight(value, group),) * len(names)
    found = _changed((math.nan,) * len(names), value, names, group)
    missing = [name for name, weight in zip(names, found or (), strict=True) if weight != weight]
    if missing:
        raise ProfileError(f"{group} lacks {', '.join(missing)}; give every category a weight, or one number for all.")
    return found


def _changed(
    old: tuple[float, ...] | None, new: Mapping[str, float] | None, names: Sequence[str], group: str
) -> tuple[float, ...] | None:
    if new is None:
        return old
    if not isinstance(new, Mapping):
        raise ProfileError(f"{group} is a mapping from categories to weights, not {new!r}.")
    values = list(old or (1.0,) * len(names))
    columns = ACTION_COLUMNS if group == "actions" else EFFECT_COLUMNS
    places = {normal(text): i for texts in (names, columns) for i, text in enumerate(texts)}
    for name, weight in new.items():
        place = places.get(normal(str(name)))
        if place is None:
            near = difflib.get_close_matches(normal(str(name)), list(places), n=1, cutoff=0)
            raise ProfileError(f"{group} has no category {str(name)!r}; the nearest is {names[places[near[0]]]!r}.")
        values[place] = _weight(weight, f"{group}[{names[place]!r}]")
    return tuple(values)


def _discount(old: Discount, new: object, side: str) -> Discount:
    if new is None:
        return old
    keys = [field.name for field in fields(Discount)]
    if not isinstance(new, Mapping) or any(key not in keys for key in new):
        raise ProfileError(f"{side} is a mapping with keys among {', '.join(keys)}, not {new!r}.")
    changed: dict[str, Any] = {str(key): tuple(v) if isinstance(v, list) else v for key, v in new.items()}
    return replace(old, **changed)


def _weights(values: Any, size: int, where: str) -> tuple[float, ...]:
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise ProfileError(f"{where} holds {size} weights, not {values!r}.")
    if len(values) != size:
        raise ProfileError(f"{where} holds {size} weights, not {len(values)}.")
    return tuple(_weight(value, f"{where}[{i}]") for i, value in enumerate(values))


def _weight(value: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise ProfileError(f"{where} is a weight from 0 to 1, not {value!r}.")
    return number
