"""Where a run's report shows each of the paper's figures and tables, by what its artefacts say of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pluristats.report import runfolder
from pluristats.report.published import ITEMS, Item
from pluristats.report.stages import Stage


@dataclass(frozen=True)
class Place:
    """A figure or table of the report: the id of its element, what it is called, and the title of its section."""

    anchor: str
    text: str
    section: str


@dataclass(frozen=True)
class Row:
    """One of the paper's figures or tables, where it is, and what there is to say of it.

    Parameters
    ----------
    item
        Of the paper.
    places
        None where this report does not have it.
    missing
        Why not; empty where there are places.
    """

    item: Item
    places: tuple[Place, ...]
    missing: str


def rows(run: Path, stages: Sequence[Stage]) -> tuple[Row, ...]:
    """Every known figure and table of the paper, in its order.

    Parameters
    ----------
    run
        Folder of the run.
    stages
        Those of the report.
    """
    shown: dict[str, list[Place]] = {item.key: [] for item in ITEMS}
    for stage in stages:
        for entry in _artifacts(run, stage.name):
            if entry.get("published") in shown:
                place = Place(f"{stage.name}-{entry['kind']}-{entry['name']}", entry["caption"], stage.title)
                shown[entry["published"]].append(place)
    present = {stage.name for stage in stages}
    return tuple(Row(item, tuple(shown[item.key]), _missing(item, shown[item.key], present)) for item in ITEMS)


def _missing(item: Item, places: Sequence[Place], present: set[str]) -> str:
    if places:
        return ""
    if not item.stage:
        return "not regenerated"
    if item.stage in present:
        return "not regenerated from this study"
    return f"not in this report: the stage {item.stage} regenerates it"


def _artifacts(run: Path, stage: str) -> list[Mapping[str, Any]]:
    """Entries of a stage's manifest; none where its notebook made no artefact."""
    content = runfolder.read_json(runfolder.stage_folder(run, stage) / "manifest.json")
    return content["artifacts"] if isinstance(content, dict) and "artifacts" in content else []
