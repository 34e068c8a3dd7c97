"""Trees as files: JSON lines, one tree each, written as they come and put in place in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pluristats.errors import GenerateError, TreeError
from pluristats.features import Tree, tree_from_json
from pluristats.texts.files import check_place

FIRST = ["id", "prompt", "simulated"]


def write_trees(path: str | Path, trees: Iterable[Tree | None], *, force: bool = False) -> int:
    """Write trees (`Tree.to_json`) as JSON lines; gives how many. None, a tree that is not there, has no line.

    Raises
    ------
    GenerateError
        The place cannot be written, or holds another file (unless ``force``).
    """
    path = Path(path)
    check_place(path, FIRST, force)
    part, count = path.with_name(f".{path.name}.{os.getpid()}.part"), 0
    try:
        with part.open("w", encoding="ascii") as file:
            for tree in trees:
                if tree is not None:
                    file.write(f"{json.dumps(tree.to_json())}\n")
                    count += 1
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise GenerateError(f"{path}: cannot be written ({error.strerror}); name another place") from None
    finally:
        part.unlink(missing_ok=True)
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
    except OSError as error:
        raise GenerateError(f"{path}: cannot be read ({error.strerror}); give a file of trees") from None
