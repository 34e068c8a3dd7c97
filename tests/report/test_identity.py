from __future__ import annotations

import hashlib

from pluristats.report import identity
from tests.report import books


def test_digest_is_sha256_of_sorted_json():
    assert identity.digest({"b": 1, "a": "é"}) == hashlib.sha256(b'{"a":"\\u00e9","b":1}').hexdigest()


def test_notebook_identity_is_its_source_not_its_outputs(tmp_path):
    import nbformat

    notebook = nbformat.read(books.write(tmp_path / "a.ipynb", "x = 1"), as_version=4)
    before = identity.notebook_sha256(notebook)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook.metadata["kernelspec"]["name"] = "other"
    assert identity.notebook_sha256(notebook) == before
    notebook.cells[1].source = "x = 2"
    assert identity.notebook_sha256(notebook) != before


def test_code_version_follows_what_computes_not_what_shows(tmp_path):
    def version(**files: str) -> str:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            path = root / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return identity.code_version(root)

    plain = version(engine__native="1", report__page="1", cli__fit="1", report__artifacts="1")
    assert version(engine__native="1", report__page="2", cli__fit="2", report__artifacts="1") == plain
    assert version(engine__native="2", report__page="1", cli__fit="1", report__artifacts="1") != plain
    assert version(engine__native="1", report__page="1", cli__fit="1", report__artifacts="2") != plain
    assert version(engine__other="1", report__page="1", cli__fit="1", report__artifacts="1") != plain


def test_computing_modules_of_the_report_are_where_the_identity_looks_for_them():
    from pathlib import Path

    import pluristats

    root = Path(pluristats.__file__).parent
    assert [name for name in identity.COMPUTING if not (root / name).is_file()] == []


def test_versions_name_python_and_every_library():
    found = identity.versions()
    assert set(found) == {"python", "pluristats", *identity.LIBRARIES}
    assert "absent" not in found.values()
