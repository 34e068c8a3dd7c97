from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pluristats.errors import ValuesError
from pluristats.values.journal import Journal

MADE_BY = {"weights": "abc", "n": 20}
ENTRIES: list[tuple[str, dict[str, Any]]] = [
    ("a", {"x": [0.1 + 0.2]}),
    ("b", {"x": ["\ud800\u2028\n", None]}),
    ("c", {}),
]


def opened(path: Path | None, **made_by: Any) -> Journal:
    return Journal(path, MADE_BY | made_by, {"checkpoint": "tiny"})


def test_entries_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with opened(path) as journal:
        journal.add(ENTRIES[:2])
        journal.add(ENTRIES[1:])
    assert path.read_bytes().isascii()
    assert len(path.read_bytes().splitlines()) == 4
    with opened(path) as journal:
        assert all(journal[key] == {"key": key, **entry} for key, entry in ENTRIES)
        assert "d" not in journal


def test_cut_at_any_byte_it_goes_on_with_the_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with opened(path) as journal:
        journal.add(ENTRIES)
    content = path.read_bytes()
    head = content.index(b"\n") + 1
    for end in range(len(content) + 1):
        path.write_bytes(content[:end])
        with opened(path) as journal:
            there = [key for key, _ in ENTRIES if key in journal]
            assert len(there) == max(content[:end].count(b"\n") - 1, 0)
            journal.add(ENTRIES)
        assert path.read_bytes() == content
        assert end < head or there == [key for key, _ in ENTRIES][: len(there)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"something else", "holds something else than a journal"),
        (b'{"journal": "x"}\n', "holds something else"),
        (b"[]\n", "holds something else"),
        (b"[" * 100_000 + b"\n", "holds something else"),
        (b'{"journal":"pluristats values","version":2,"made_by":{}}\n', "is of another version"),
    ],
)
def test_a_foreign_file_is_refused_and_stays(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValuesError, match=message):
        opened(path)
    assert path.read_bytes() == content


def test_what_was_made_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    opened(path).close()
    with pytest.raises(ValuesError, match=r"was made otherwise: n was 20 and is 10 now; name another file"):
        opened(path, n=10)
    with pytest.raises(ValuesError, match="explain was null and is true now"):
        opened(path, explain=True)
    Journal(path, MADE_BY, {"checkpoint": "the same, elsewhere"}).close()


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"7", b'{"key":[]}', b"{", b"\xff"])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "j.jsonl"
    with opened(path) as journal:
        journal.add(ENTRIES)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], line + b"\n", *lines[2:]]))
    with pytest.raises(ValuesError, match="line 3: it is no entry; the file is damaged"):
        opened(path)


def test_one_writes_at_a_time_and_places_must_be_there(tmp_path: Path) -> None:
    with opened(tmp_path / "j.jsonl"), pytest.raises(ValuesError, match="another run is writing to it"):
        opened(tmp_path / "j.jsonl")
    opened(tmp_path / "j.jsonl").close()
    with pytest.raises(ValuesError, match="No such file"):
        opened(tmp_path / "none" / "j.jsonl")


def test_without_a_file_it_remembers() -> None:
    with opened(None) as journal:
        journal.add(ENTRIES)
        assert journal["a"]["x"] == [0.1 + 0.2]
