from __future__ import annotations

from pathlib import Path

import pytest

from pluristats.values import Kaleido
from tests.values.tiny import save_tiny


def need(*packages: str) -> None:
    for package in packages:
        pytest.importorskip(package, reason=f"{package} is not installed (pip install 'pluristats[kaleido]')")


@pytest.fixture(scope="session")
def rouge() -> None:
    need("rouge_score")


@pytest.fixture(scope="session")
def torch() -> None:
    need("torch", "transformers")


@pytest.fixture(scope="session")
def random_checkpoint(torch: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def taught_checkpoint(torch: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("taught"), taught=True)


@pytest.fixture(scope="session")
def taught(taught_checkpoint: Path) -> Kaleido:
    return Kaleido.load(taught_checkpoint, device="cpu")
