"""``study.yaml``: which file and column is what, for data that is not in the release's format."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, Final, cast

from pluristats.errors import Problem
from pluristats.study.coding import Coding, Rule
from pluristats.study.layout import RESERVED, Features, Layout
from pluristats.study.record import FrozenMap
from pluristats.study.tables import plain, show

STUDY_FILE: Final = "study.yaml"
_LONGEST: Final = 1_000_000
_DEEPEST: Final = 10
_RULES: Final = ("labels", "only", "any", "number", "score")
_TRAIT_GROUPS: Final = ("traits", "demographics", "factors")


class _Bad(Exception):
    """One thing wrong, by key and what."""

    def __init__(self, key: str, what: str):
        super().__init__(key, what)
        self.key, self.what = key, what


def parse_layout(text: str | None, file: str, problems: list[Problem]) -> Layout | None:
    """Read a layout from YAML text; None, and a problem added, at the first thing that is wrong.

    Parameters
    ----------
    text
        Content; None where the file could not be read (which is reported already).
    file
        Name for messages.
    problems
        Where to add what is wrong.
    """
    if text is None:
        return None
    try:
        return _layout(_parse(text))
    except _Bad as bad:
        problems.append(Problem(f"{plain(file)}{', ' + bad.key if bad.key else ''}", bad.what))
        return None


def _parse(text: str) -> object:
    """YAML as plain values: no tags, no key twice, no aliases and no deep nesting (which can be bombs)."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            keys = [str(key.value) for key, _ in node.value]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise _Bad(plain(twice), "the key occurs twice in one mapping; keep one")
            return super().construct_mapping(node, deep=True)

    if len(text) > _LONGEST:
        raise _Bad("", f"is longer than {_LONGEST:,} characters; describe the data, do not include them")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise _Bad("", "uses a YAML alias (*name); write the value out")
            if depth > _DEEPEST:
                raise _Bad("", f"is nested deeper than {_DEEPEST} levels; the keys of a {STUDY_FILE} are not")
        return yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _Bad("", f"is not readable YAML ({_oneline(error)}); mend it there") from error


def _layout(content: object) -> Layout:
    top = _mapping(content, "", required=("ratings",), optional=("name", "annotators", "prompts", "labels"))
    ratings = _mapping(
        top["ratings"],
        "ratings",
        required=("file", "annotator", "rating"),
        optional=("layout", "prompt", "trial", "scale", "missing"),
    )
    wide = _one_of(ratings.get("layout", "long"), "ratings.layout", ("long", "wide")) == "wide"
    rating, trial = _text(ratings["rating"], "ratings.rating"), _optional(ratings, "trial", "ratings")
    _check_patterns(wide, ratings, rating, trial)
    annotators = _section(top, "annotators", ("file", "id"), ("traits",))
    prompts = _section(top, "prompts", ("file", "id"), ("text", "harm_level", "seed", "features"))
    traits = _entries(annotators.get("traits", {}), "annotators.traits")
    features = _entries(prompts.get("features", {}), "prompts.features")
    layout = Layout(
        name=_text(top.get("name", "study"), "name"),
        ratings_file=_file(ratings["file"], "ratings.file"),
        wide=wide,
        ratings_annotator=_text(ratings["annotator"], "ratings.annotator"),
        ratings_prompt=_optional(ratings, "prompt", "ratings"),
        rating=rating,
        trial=trial,
        annotators_file=_file(annotators["file"], "annotators.file") if annotators else None,
        annotator=_text(annotators["id"], "annotators.id") if annotators else "",
        prompts_file=_file(prompts["file"], "prompts.file") if prompts else None,
        prompt=_text(prompts["id"], "prompts.id") if prompts else "",
        text=_optional(prompts, "text", "prompts"),
        harm_level=_optional(prompts, "harm_level", "prompts"),
        seed=_optional(prompts, "seed", "prompts"),
        scale=_range(ratings.get("scale"), "ratings.scale"),
        missing=_texts(ratings.get("missing", []), "ratings.missing"),
        traits=tuple(_coding(name, value) for name, value in traits.items()),
        features=FrozenMap({group: _features(group, value) for group, value in features.items()}),
        labels=FrozenMap(
            {key: _text(v, f"labels.{plain(key)}") for key, v in _entries(top.get("labels", {}), "labels").items()}
        ),
    )
    _check_names(layout)
    return layout


def _check_patterns(wide: bool, ratings: dict[str, object], rating: str, trial: str | None) -> None:
    if not wide:
        if "prompt" not in ratings:
            raise _Bad("ratings", "lacks the key prompt; a long table needs a column that names the prompt")
        return
    if "prompt" in ratings:
        raise _Bad("ratings.prompt", "a wide table has no prompt column; remove the key, or set layout: long")
    for key, pattern in (("rating", rating), ("trial", trial)):
        if pattern is not None and (pattern.count("*") != 1 or pattern == "*"):
            what = f"{show(pattern)} must hold one * where the prompt's id stands, as in score_*"
            raise _Bad(f"ratings.{key}", what)


def _check_names(layout: Layout) -> None:
    """Refuse names that would be ambiguous in a frame or formula (patterns are checked when expanded)."""
    columns = [coding.column for coding in layout.traits]
    columns += [name for spec in layout.features.values() for name in spec.columns]
    for name in columns:
        if name in RESERVED:
            raise _Bad(plain(name), "this name has a fixed meaning in a frame; rename the column in the file")
        if columns.count(name) > 1:
            raise _Bad(plain(name), "the column is named twice among traits and features; keep one")
    for group in layout.features:
        if group in _TRAIT_GROUPS or group in RESERVED or group in columns:
            raise _Bad(f"prompts.features.{plain(group)}", "this group name is taken; choose another")


def _coding(name: str, value: object) -> Coding:
    """Trait from ``number``, ``score``, ``{label: number, …}`` or ``{rule:, labels:, one:, missing:}``."""
    key = f"annotators.traits.{plain(name)}"
    if isinstance(value, str):
        return Coding(name, cast(Rule, _one_of(value, key, ("number", "score"))))
    entries = _entries(value, key)
    if "rule" not in entries and "labels" not in entries:
        return Coding(name, "labels", _numbers(entries, key))
    given = _mapping(value, key, required=(), optional=("rule", "labels", "one", "missing"))
    rule = cast(Rule, _one_of(given.get("rule", "labels"), f"{key}.rule", _RULES))
    missing = _texts(given.get("missing", []), f"{key}.missing")
    if rule in ("number", "score"):
        for unused in ("labels", "one"):
            if unused in given:
                raise _Bad(f"{key}.{unused}", f"rule {rule} reads numbers and has no {unused}; remove the key")
        return Coding(name, rule, missing=missing)
    if "labels" not in given:
        raise _Bad(key, f"rule {rule} needs the key labels; list them")
    if rule == "labels":
        return Coding(
            name, rule, _numbers(_entries(given["labels"], f"{key}.labels"), f"{key}.labels"), missing=missing
        )
    known = _texts(given["labels"], f"{key}.labels")
    one = _one_of(given.get("one"), f"{key}.one", known)
    return Coding(name, rule, FrozenMap(dict.fromkeys(known, float("nan"))), one=one, missing=missing)


def _features(group: str, value: object) -> Features:
    """Feature group from a list of columns, one column or pattern, or ``{columns:, range:}``."""
    key = f"prompts.features.{plain(group)}"
    if isinstance(value, dict):
        given = _mapping(value, key, required=("columns",), optional=("range",))
        low, high = _range(given["range"], f"{key}.range") if "range" in given else (-math.inf, math.inf)
        return Features(_texts(given["columns"], f"{key}.columns"), low, high)
    return Features(_texts(value, key))


def _section(
    top: dict[str, object], name: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, object]:
    return _mapping(top[name], name, required, optional) if name in top else {}


def _mapping(value: object, key: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, object]:
    """Mapping with these keys and no others."""
    entries = _entries(value, key)
    known = (*required, *optional)
    for name in entries:
        if name not in known:
            raise _Bad(key, f"unknown key {show(name)}; the keys here are {', '.join(known)}")
    for name in required:
        if name not in entries:
            raise _Bad(key, f"lacks the key {name}; add it")
    return entries


def _entries(value: object, key: str) -> dict[str, object]:
    """Mapping whose keys are text; whole numbers may stand unquoted."""
    if not isinstance(value, dict):
        raise _Bad(key, f"must be a mapping (key: value), not {show(value)}")
    entries: dict[str, object] = {}
    for name, entry in value.items():
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise _Bad(key, f"YAML reads the key {show(name)} as {type(name).__name__}; put it in quotes")
        entries[str(name)] = entry
    return entries


def _numbers(entries: dict[str, object], key: str) -> FrozenMap[float]:
    if not entries:
        raise _Bad(key, "has no labels; list each label with its number")
    return FrozenMap({label.strip(): _number(value, f"{key}.{plain(label)}") for label, value in entries.items()})


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Bad(key, f"must be a finite number, not {show(value)}")
    return float(value)


def _range(value: object, key: str) -> tuple[float, float]:
    if value is None:
        raise _Bad(key, "give the least and greatest value, as in [0, 100]")
    if not isinstance(value, list) or len(value) != 2:
        raise _Bad(key, f"must be two numbers, as in [0, 100], not {show(value)}")
    low, high = _number(value[0], key), _number(value[1], key)
    if low >= high:
        raise _Bad(key, f"the first number must be less than the second, not {low:g} and {high:g}")
    return low, high


def _text(value: object, key: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise _Bad(key, f"must be a text, not {show(value)}; put it in quotes")
    return str(value)


def _texts(value: object, key: str) -> tuple[str, ...]:
    texts = tuple(_text(item, key).strip() for item in (value if isinstance(value, list) else [value]))
    for text in texts:
        if texts.count(text) > 1:
            raise _Bad(key, f"lists {show(text)} twice; keep one")
    return texts


def _optional(section: dict[str, object], name: str, key: str) -> str | None:
    return _text(section[name], f"{key}.{name}") if name in section else None


def _one_of(value: object, key: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise _Bad(key, f"must be one of {', '.join(map(plain, known))}, not {show(value)}")
    return str(value)


def _file(value: object, key: str) -> str:
    """File name inside the folder: a description from elsewhere must not make us read other files."""
    name = _text(value, key)
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise _Bad(key, f"{show(name)} must be a file inside the folder of the {STUDY_FILE}; move it there")
    return name


def _oneline(error: Exception) -> str:
    return plain(" ".join(str(error).split())) if str(error) else type(error).__name__
