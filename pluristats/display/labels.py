"""What people read instead of column names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

DISPLAY: Final[Mapping[str, str]] = {
    "(Intercept)": "Intercept",
    "action_Violence_Extremism": "Violence and extremism",
    "action_Hate_Toxicity": "Hate and toxicity",
    "action_Self_harm": "Self-harm",
    "action_Discrimination_Bias": "Discrimination and bias",
    "effect_Physical": "Physical harm",
    "effect_Psychological": "Psychological harm",
    "effect_Social": "Social harm",
    "effect_Property": "Property harm",
    "effect_Liberty": "Loss of liberty",
    "effect_Collective": "Collective harm",
    "effect_Ecological": "Ecological harm",
    "Race_Ethnicity": "Race or ethnicity",
    "Political_Affiliation": "Politics",
    "Religion_Importance": "Importance of religion",
    "Social_Media_Frequency": "Social media use",
    "Toxicity_Experience": "Experience of toxicity",
    "trial": "Position in the session",
    "harm_level": "Harm level",
}
"""Columns of the release whose names do not say it. What a larger value of a trait means is in the codebook."""

# A ":" that is not part of "::" or inside brackets separates the factors of an interaction.
_FACTORS = re.compile(r":(?![^(\[]*[)\]])")
_PREFIX = re.compile(r"^(action|effect)_(?=.)")


def display_label(term: object, labels: Mapping[str, str] | None = None) -> str:
    """Readable name of a column or model term.

    In this order: :data:`DISPLAY`; the study's own ``labels``, where they say more than the name itself (the names
    of value topics); the name without prefix and underscores ("action_Child_Harm" is "Child harm"). An interaction
    is the names of its factors joined by " × ".

    Parameters
    ----------
    term
        Such as ``"Gender:action_Child_Harm"``.
    labels
        Readable names by column, as ``study.labels``.

    Examples
    --------
    >>> display_label("Gender:action_Child_Harm")
    'Gender × Child harm'
    >>> display_label("value_topic_3", {"value_topic_3": "Duty to Provide Accurate Information"})
    'Duty to Provide Accurate Information'
    """
    name = str(term)
    whole = _one(name, labels or {})
    if whole is not None:
        return whole
    return " × ".join(_one(part, labels or {}) or _plain(part) for part in _FACTORS.split(name))


def _one(name: str, labels: Mapping[str, str]) -> str | None:
    """Name from a mapping, or None."""
    if name in DISPLAY:
        return DISPLAY[name]
    given = labels.get(name)
    # A study labels every column, most by taking underscores out; that is done better below.
    return given if given and _words(given) != _words(_PREFIX.sub("", name)) else None


def _words(name: str) -> str:
    return name.replace("_", " ").casefold()


def _plain(name: str) -> str:
    words = _PREFIX.sub("", name.strip("`")).replace("_", " ").strip().split()
    if not words:
        return name
    # Acronyms stay; other words are lower case after the first.
    rest = [word if word.isupper() and len(word) > 1 else word[:1].lower() + word[1:] for word in words[1:]]
    return " ".join([words[0][:1].upper() + words[0][1:], *rest])


def group_of(term: object, groups: Mapping[str, tuple[str, ...]]) -> str:
    """Feature group of a term: the first that has its column; "traits × actions" for an interaction, else "other".

    Parameters
    ----------
    term
        Model term.
    groups
        Columns by group, as ``study.groups``.
    """
    name = str(term)
    found = _group(name, groups)
    if found is not None:
        return found
    parts = _FACTORS.split(name)
    if len(parts) == 1:
        return "other"
    return " × ".join(_group(part, groups) or "other" for part in parts)


def _group(column: str, groups: Mapping[str, tuple[str, ...]]) -> str | None:
    return next((name for name, columns in groups.items() if column in columns), None)
