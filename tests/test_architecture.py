"""The layers of ARCHITECTURE.md hold, and heavy libraries wait until something needs them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "pluristats"
LAYER = {
    "errors": -2,
    "packaged": -2,
    "display": -1,
    "distinct": -1,
    "progress": -1,
    "engine": 0,
    "features": 0,
    "formula": 0,
    "llm": 0,
    "stream": 0,
    "study": 0,
    "texts": 1,
    "values": 0,
    "topics": 0,
    "models": 1,
    "extract": 2,
    "generate": 2,
    "lasso": 2,
    "analysis": 3,
    "select": 3,
    "evaluation": 3,
    "latent": 3,
    "plot": 4,
    "report": 5,
    "explorer": 5,
    "cli": 6,
}
# Sideways, where a record or the similarity of texts is shared; and downwards, where ARCHITECTURE.md says not.
ALLOWED = {("formula", "pluristats.engine.result")}
REFUSED = {("models", "study")}
HEAVY = {
    "IPython",
    "anywidget",
    "bertopic",
    "dask",
    "formulaic",
    "glmnet",
    "hdbscan",
    "httpx2",
    "ipywidgets",
    "matplotlib",
    "nbconvert",
    "numba",
    "openai",
    "papermill",
    "pymer4",
    "rouge_score",
    "rpy2",
    "seaborn",
    "sentence_transformers",
    "sklearn",
    "statsmodels",
    "torch",
    "transformers",
    "umap",
    "weasyprint",
}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every import in a file, wherever in the file it stands."""
    here = ["pluristats", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from pluristats import lasso` names a package of ours by what is imported.
            names = [alias.name for alias in node.names] if module == "pluristats" else [""]
            yield from ((node.lineno, f"{module}.{name}".rstrip(".")) for name in names)


def wrong(package: str, imported: str) -> bool:
    """Whether a module of a package may not import this."""
    parts = imported.split(".")
    if parts[0] != "pluristats":
        return False
    if len(parts) == 1 or parts[1] not in LAYER:
        # The top of the package only knows names; nothing inside needs it, but for the version.
        return imported != "pluristats.__version__"
    other = parts[1]
    if other == package or (package, imported) in ALLOWED:
        return False
    return LAYER[other] >= LAYER[package] or (package, other) in REFUSED


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in LAYER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    package = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    found = [f"line {line} imports {name}" for line, name in imports(path) if wrong(package, name)]
    assert not found, f"{package} is layer {LAYER[package]}: {'; '.join(found)}"


def test_every_package_has_a_layer_and_the_page_names_it() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set(LAYER) - {"distinct", "errors", "packaged", "progress"}
    page = (ROOT / "ARCHITECTURE.md").read_text()
    assert all(name in page for name in LAYER)


@pytest.mark.parametrize(
    ("package", "imported", "expected"),
    [
        ("study", "pluristats.errors", False),
        ("llm", "pluristats.progress", False),
        ("llm", "pluristats.study", True),
        ("lasso", "pluristats.models.fit", False),
        ("lasso", "numpy", False),
        ("formula", "pluristats.engine.result", False),
        ("formula", "pluristats.engine.native", True),
        ("study", "pluristats.formula", True),
        ("engine", "pluristats.study", True),
        ("models", "pluristats.study", True),
        ("models", "pluristats.lasso", True),
        ("analysis", "pluristats.plot", True),
        ("errors", "pluristats.study", True),
        ("report", "pluristats.lmer", True),
        ("report", "pluristats.__version__", False),
    ],
)
def test_the_rule_itself(package: str, imported: str, expected: bool) -> None:
    assert wrong(package, imported) is expected


def test_imports_are_seen_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "lasso").mkdir()
    file = tmp_path / "lasso" / "x.py"
    file.write_text(
        "from __future__ import annotations\nimport pluristats.cli\nfrom pluristats import plot, errors\n"
        "def f():\n    from pluristats.report import page\n    from ..analysis import rq\n    from . import path\n"
    )
    assert [name for _, name in imports(file)][1:] == [
        "pluristats.cli",
        "pluristats.plot",
        "pluristats.errors",
        "pluristats.report",
        "pluristats.analysis",
        "pluristats.lasso",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import pluristats",
        "import pluristats; pluristats.errors; pluristats.Study; pluristats.load_study",
        "import sys; sys.argv = ['pluristats', '--help']\nfrom pluristats.cli import main\n"
        "try: main()\nexcept SystemExit as done: assert done.code == 0",
    ],
    ids=["import", "study", "help"],
)
def test_heavy_libraries_are_not_imported(code: str) -> None:
    listing = "\nimport sys; print('MODULES', *{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + listing], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "pluristats" in loaded
    assert not loaded & HEAVY
    if code == "import pluristats":
        assert not loaded & {"numpy", "pandas", "scipy", "typer"}
