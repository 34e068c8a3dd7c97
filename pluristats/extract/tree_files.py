"""Trees as files: JSON lines, one tree each, written as they come and put in place in one step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pluristats.errors import GenerateError, TreeError
from pluristats.features import Tree, tree_from_json
from pluristats.texts.files import check_place, placed

FIRST = ["id", "prompt", "simulated"]


def write_trees(path: str | Path, trees: Iterable[Tree | None], *, force: bool = False) -> int:
    """Write trees (`Tree.to_json`) as JSON lines; gives how many. None, a tree that is not there, has no line.

    Raises
    ------
    GenerateError
        The place cannot be written, or holds another file (unless ``force``).
    """
    path, count = Path(path), 0
    check_place(path, FIRST, force)
    with placed(path) as file:
        for tree in trees:
            if tree is not None:
                file.write(f"{json.dumps(tree.to_json())}\n".encode("ascii"))
                count += 1
    return count


def load_trees(path: str | Path) -> Iterator[Tree]:
    """Trees of a file that `write_trees` wrote, one after another.

    Raises
    ------
    GenerateError
        The file cannot be read, or a line is no tree; the message names file and line.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield tree_from_json(json.loads(line))
                except (ValueError, RecursionError, TreeError) as error:
                    reason = str(error) if isinstance(error, TreeError) else "is not JSON"
                    raise GenerateError(f"{path.name}, line {number}: {reason}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise GenerateError(f"{path}: cannot be read ({why}); give a file of trees") from None
