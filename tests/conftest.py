"""Shared fixtures: where the released data is, and whether R is there."""

from __future__ import annotations

import os

# Before numpy is loaded: small matrices on two threads wait for each other more than they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
RELEASE = Path(os.environ.get("PLURISTATS_RELEASE", ROOT.parent / "shared" / "pluriharms"))

# Properties draw new examples at a desk, and under CI the same ones every time, so that a red run can be run again.
settings.register_profile("again", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("again")


@pytest.fixture(scope="session")
def release_path() -> Path:
    """Folder of the released data, or a skip that says where it was looked for."""
    if not (RELEASE / "annotations.csv").is_file():
        pytest.skip(f"released PluriHarms data not found at {RELEASE} (set PLURISTATS_RELEASE)")
    return RELEASE


# Kernels that start side by side can race for ports.
_KERNELS = ("tests/notebooks/", "tests/report/", "tests/explorer/test_browser.py", "tests/cli/test_reproduce.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (`make test`) a file's tests stay together, and so do those that start kernels."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("kernels" if file.startswith(_KERNELS) else file))
