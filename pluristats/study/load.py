"""From files to a Study: read, check everything, and only then build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pluristats.errors import Problem, StudyError
from pluristats.study import simulated
from pluristats.study.cells import numbers
from pluristats.study.config import STUDY_FILE, parse_layout
from pluristats.study.layout import Layout
from pluristats.study.parts import Part, RatingCells, identifiers, read_annotators, read_prompts, read_ratings
from pluristats.study.record import FrozenMap, Source
from pluristats.study.release import RELEASE
from pluristats.study.study import Study
from pluristats.study.tables import FileText, Table, parse_csv, parse_topic_names, place, plain, read_text, show


def load_study(path: str | Path) -> Study:
    """Read a study.

    Parameters
    ----------
    path
        Folder with the files of the PluriHarms release (``annotations.csv``, ``prompts.csv``, and if there
        ``value_topic_names.json``), or a folder with a ``study.yaml``, or that file.

    Returns
    -------
    Study
        Seeds are inferred from identical action and effect rows where the files have no column for them.

    Raises
    ------
    StudyError
        Something is wrong with the files; ``problems`` lists everything found.
    """
    study, problems = read_study(path)
    if study is None:
        raise StudyError(problems)
    return study


def read_study(path: str | Path) -> tuple[Study | None, list[Problem]]:
    """Read a study, or say everything that is wrong with it: exactly one of the two is empty."""
    problems: list[Problem] = []
    try:
        study = _open(Path(path), problems)
    except (OSError, ValueError) as error:  # the path itself: too long, a NUL in it, no permission to look
        problems.append(
            Problem(show(Path(path)), f"cannot be read ({plain(error)}); give the folder that holds the data")
        )
        study = None
    return (None, problems) if problems else (study, [])


def _open(path: Path, problems: list[Problem]) -> Study | None:
    """Decide what kind of study lies at the path, and read it."""
    if not path.exists():
        what = "there is no such folder or file; give the folder that holds the data"
        problems.append(Problem(show(path), what))
        return None
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        what = "is neither a folder nor a study.yaml; give the folder that holds the data"
        problems.append(Problem(show(path), what))
        return None
    described = path if path.is_file() else path / STUDY_FILE
    folder = Folder(described.parent, problems)
    if described.is_file():
        layout = parse_layout(folder.text(described.name), described.name, problems)
        return _read(folder, layout, "yaml") if layout else None
    return _as_simulated(_read(folder, RELEASE, "release"), folder)


class Folder:
    """Files of one folder, each read once, with their sha256.

    Parameters
    ----------
    path
        The folder.
    problems
        Where to add what is wrong.
    """

    def __init__(self, path: Path, problems: list[Problem]):
        self.path = path
        self.problems = problems
        self.sha256: dict[str, str] = {}
        self._texts: dict[str, FileText | None] = {}
        self._tables: dict[str, Table | None] = {}

    def text(self, file: str) -> str | None:
        """Content of a file, None where it cannot be read."""
        if file not in self._texts:
            read = read_text(self.path / file, file, self.problems)
            self._texts[file] = read
            if read is not None:
                self.sha256[file] = read.sha256
        found = self._texts[file]
        return None if found is None else found.text

    def table(self, file: str) -> Table | None:
        """Cells of a CSV file, None where it cannot be read."""
        if file not in self._tables:
            text = self.text(file)
            self._tables[file] = None if text is None else parse_csv(text, file, self.problems)
        return self._tables[file]


def _read(folder: Folder, layout: Layout, kind: Literal["release", "yaml"]) -> Study | None:
    """Read all parts, checking as much as can be checked before giving up."""
    problems = folder.problems
    annotators = prompts = ratings = None
    if layout.annotators_file and (table := folder.table(layout.annotators_file)):
        annotators = read_annotators(layout, table, problems)
    if layout.prompts_file and (table := folder.table(layout.prompts_file)):
        prompts = read_prompts(layout, table, problems)
    if table := folder.table(layout.ratings_file):
        ratings = read_ratings(layout, table, problems)
    topics = _topic_labels(folder, layout, prompts)
    if ratings is not None:
        annotators = annotators if layout.annotators_file else _known_by_ratings(ratings, "annotator")
        prompts = prompts if layout.prompts_file else _known_by_ratings(ratings, "prompt")
        _match(layout, ratings, annotators, prompts, problems)
        if not problems and np.isnan(_rating(layout, ratings)).all():
            what = "holds no usable rating, so the study is empty; give at least one"
            problems.append(Problem(place(layout.ratings_file), what))
    if problems or annotators is None or prompts is None or ratings is None:
        return None
    source = Source(str(folder.path), kind, FrozenMap(folder.sha256))
    return _assemble(layout, annotators, prompts, ratings, source, topics)


def _as_simulated(study: Study | None, folder: Folder) -> Study | None:
    """Give a study its truth back where ``simulated.json`` lies beside the files."""
    if study is None or not (folder.path / simulated.FILE).exists():
        return study
    text = folder.text(simulated.FILE)
    record = simulated.parse(text, study.source.files, folder.problems) if text is not None else None
    if record is None:
        return None
    source = Source(study.source.path, "release", FrozenMap(folder.sha256), simulated=True, seed=record.seed)
    return replace(study, name=record.name, source=source, truth=record.truth)


def _assemble(
    layout: Layout, annotators: Part, prompts: Part, ratings: RatingCells, source: Source, topics: dict[str, str]
) -> Study:
    annotator_ids = dict(zip(annotators.keys, identifiers(annotators.keys), strict=True))
    prompt_ids = dict(zip(prompts.keys, identifiers(prompts.keys), strict=True))
    cells = ratings.cells
    annotator_table, prompt_table = annotators.table.copy(), prompts.table.copy()
    annotator_table.insert(0, "annotator", list(annotator_ids.values()))
    prompt_table.insert(0, "prompt", list(prompt_ids.values()))
    rating_table = pd.DataFrame(
        {
            "annotator": cells["annotator"].map(annotator_ids),
            "prompt": cells["prompt"].map(prompt_ids),
            "rating": _rating(layout, ratings),
            "trial": numbers(cells["trial"]),
        }
    )
    return Study(
        name=layout.name,
        source=source,
        truth=None,
        features=FrozenMap(prompts.features),
        codings=layout.traits,
        scale=layout.scale,
        labels=FrozenMap({**readable(prompts.features, layout), **topics, **layout.labels}),
        sources=FrozenMap(renamed(layout)),
        annotators_=annotator_table,
        prompts_=prompt_table,
        ratings_=rating_table,
    )


def _match(
    layout: Layout, ratings: RatingCells, annotators: Part | None, prompts: Part | None, problems: list[Problem]
) -> None:
    """Report ratings by annotators, or of prompts, that the other files do not have."""
    cells = ratings.cells
    file = layout.ratings_file
    if prompts is not None:
        unknown = cells[~cells["prompt"].isin(prompts.keys)].drop_duplicates("prompt")
        for row, column, key in unknown[["row", "column", "prompt"]].itertuples(index=False):
            where = place(file, 1, str(column)) if layout.wide else place(file, int(row), layout.ratings_prompt)
            what = f"prompt {show(key)} is rated but has no features; add it to {layout.prompts_file}"
            problems.append(Problem(where, what))
    if annotators is not None and layout.annotators_file != file:
        unknown = cells[~cells["annotator"].isin(annotators.keys)].drop_duplicates("annotator")
        for row, key in unknown[["row", "annotator"]].itertuples(index=False):
            what = f"annotator {show(key)} is not in {layout.annotators_file}; add a row there"
            problems.append(Problem(place(file, int(row), layout.ratings_annotator), what))


def _known_by_ratings(ratings: RatingCells, column: str) -> Part:
    """Annotators or prompts of which nothing but their ratings is known."""
    keys = tuple(dict.fromkeys(ratings.cells[column]))
    n = len(keys)
    table = pd.DataFrame(index=range(n))
    if column == "prompt":
        table = pd.DataFrame({"text": [""] * n, "harm_level": np.full(n, np.nan), "seed": np.arange(1, n + 1)})
    return Part(keys, table, {})


def _rating(layout: Layout, ratings: RatingCells) -> np.ndarray:
    return numbers(ratings.cells["value"], ("", *layout.missing))


def _topic_labels(folder: Folder, layout: Layout, prompts: Part | None) -> dict[str, str]:
    """Names of the value topics; the file may be absent, but a name without a column is an error."""
    if not layout.topic_names or not (folder.path / layout.topic_names).exists():
        return {}
    text = folder.text(layout.topic_names)
    names = parse_topic_names(text, layout.topic_names, folder.problems) if text is not None else {}
    labels = {f"value_topic_{topic}": name for topic, name in names.items()}
    if prompts is not None:
        for column in sorted(set(labels) - set(prompts.table.columns)):
            what = f"names {show(column)}, which is no column of {layout.prompts_file}; restore the released file"
            folder.problems.append(Problem(place(layout.topic_names), what))
    return labels


def readable(features: dict[str, tuple[str, ...]], layout: Layout) -> dict[str, str]:
    """Names for people: without the release's prefixes and underscores."""
    columns: Sequence[str] = [name for names in features.values() for name in names]
    traits = [coding.column for coding in layout.traits]
    return {
        name: name.removeprefix("action_").removeprefix("effect_").replace("_", " ") for name in (*columns, *traits)
    }


def renamed(layout: Layout) -> dict[str, str]:
    """Name in the files of each frame column that has another name there."""
    names = {
        "annotator": layout.annotator or layout.ratings_annotator,
        "prompt": layout.prompt or layout.ratings_prompt or layout.rating,
        "seed": layout.seed or (f"rows of {' and '.join(layout.seeds_from)}" if layout.seeds_from else "prompt"),
        "rating": layout.rating,
        "rating_raw": layout.rating,
        "trial": layout.trial or "not given",
        "harm_level": layout.harm_level or "not given",
    }
    return names
