"""Write a study in the release's file format, all files or none."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from pluristats.errors import PluristatsError
from pluristats.study import simulated
from pluristats.study.release import FACTORS, RELEASE, TRAITS
from pluristats.study.study import Study


def write_study(study: Study, folder: str | Path, *, force: bool = False) -> Path:
    """Write a study as files that :func:`~pluristats.study.load_study` reads back to the same frame and checksum.

    Parameters
    ----------
    study
        With the release's traits and features, and a cell for every annotator and prompt.
    folder
        Where to; made if absent. The files appear in it together, or not at all.
    force
        Replace files of the same names in a folder that already holds files; its other files stay.

    Returns
    -------
    Path
        The folder, with ``annotations.csv``, ``prompts.csv``, ``value_topic_names.json`` and, for a simulated
        study, ``simulated.json`` (seed, parameters, truth).

    Raises
    ------
    PluristatsError
        The folder holds files already, cannot be written, or the study does not fit the format.
    """
    target = Path(folder)
    _refuse_other_shapes(study)
    _refuse_target(target, force)
    topics = [name for name in study.features["values"]]
    names = {name.removeprefix("value_topic_"): study.labels[name] for name in topics}
    files = {
        "annotations.csv": _annotations(study),
        "prompts.csv": _prompts(study),
        "value_topic_names.json": json.dumps(names, indent=2, ensure_ascii=False) + "\n",
    }
    if study.truth is not None:
        digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
        record = simulated.Simulated(study.name, study.source.seed or 0, study.truth, digests)
        files[simulated.FILE] = simulated.dump(record)
    try:
        place_files({name: text.encode() for name, text in files.items()}, target)
        if study.truth is None:
            (target / simulated.FILE).unlink(missing_ok=True)  # of a study that was here before
    except OSError as error:
        raise PluristatsError(f"{target}: cannot be written ({error.strerror}); choose another folder") from error
    return target


def place_files(files: dict[str, bytes], target: Path) -> None:
    """Put files into a folder: written beside it first, so that a failure leaves nothing half-written there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent / f".{target.name}.{os.getpid()}.part"
    staging.mkdir()
    try:
        for name, data in files.items():
            (staging / name).write_bytes(data)
        if target.exists() and any(target.iterdir()):
            for name in files:
                os.replace(staging / name, target / name)
        else:
            os.replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_target(target: Path, force: bool) -> None:
    if target.exists() and not target.is_dir():
        raise PluristatsError(f"{target}: is a file, not a folder; choose another place")
    if not target.exists() or not any(target.iterdir()):
        return
    if not force:
        raise PluristatsError(f"{target}: the folder holds files already; choose another, or force replacing them")
    if (target / "study.yaml").exists():
        raise PluristatsError(f"{target}: its study.yaml describes other data; choose another folder")


def _refuse_other_shapes(study: Study) -> None:
    expected = {group: spec.columns for group, spec in RELEASE.features.items()}
    if dict(study.features) != expected or study.codings != TRAITS or tuple(study.scale) != RELEASE.scale:
        raise PluristatsError(
            f"study {study.name!r} does not have the release's traits, features and scale, so it cannot be written "
            "in the release's format; keep its own files and study.yaml"
        )
    if len(study.ratings_) != len(study.annotators_) * len(study.prompts_):
        raise PluristatsError(
            f"study {study.name!r} does not ask every annotator about every prompt, and the release's format would "
            "turn the cells not asked into Unsure; keep its own files and study.yaml"
        )


def _annotations(study: Study) -> str:
    people = study.annotators
    order = people["annotator"].tolist()
    prompts = study.prompts["prompt"].tolist()
    wide = study.ratings.pivot(index="annotator", columns="prompt", values=["rating", "trial"]).loc[order]
    ratings = {f"Rating_{prompt}": wide["rating"][prompt].tolist() for prompt in prompts}
    trials = {f"Trial_{prompt}": wide["trial"][prompt].tolist() for prompt in prompts}
    demographics = {name: people[name].tolist() for name in people.columns if name not in ("annotator", *FACTORS)}
    factors = {name: people[name].tolist() for name in FACTORS}
    return _csv({"Participant_ID": order, **demographics, **ratings, **trials, **factors})


def _prompts(study: Study) -> str:
    prompts = study.prompts
    columns = {
        "Question_Index": prompts["prompt"].tolist(),
        "Question_Content": prompts["text"].tolist(),
        "Harm_Level": prompts["harm_level"].tolist(),
    }
    keyed = [name for group in RELEASE.seeds_from for name in study.features[group]]
    inferred = prompts.groupby(keyed, sort=False).ngroup() + 1
    if not np.array_equal(inferred.to_numpy(), prompts["seed"].to_numpy()):
        columns["seed"] = prompts["seed"].tolist()
    rest = [name for name in prompts.columns if name not in ("prompt", "text", "harm_level", "seed")]
    return _csv({**columns, **{name: prompts[name].tolist() for name in rest}})


def _csv(columns: dict[str, list[object]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(values) for values in columns.values()), strict=True))
    return out.getvalue()


def _cells(values: Iterable[object]) -> list[str]:
    """Cells as text: whole numbers without a point, others so that they read back exactly, missing as empty."""
    return [_cell(value) for value in values]


def _cell(value: object) -> str:
    if isinstance(value, float):
        if pd.isna(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
