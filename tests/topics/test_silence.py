"""BERTopic's import silences every UserWarning of a process; after ours, warnings are as they were."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

CODE = """
import warnings
before = list(warnings.filters)
from pluristats.topics.cluster import _model
from pluristats.topics.settings import Settings
_model(Settings())
import sys
assert "bertopic" in sys.modules
missing = [one for one in warnings.filters if one not in before and one[0] == "ignore" and one[1] is None]
print([one for one in missing if issubclass(UserWarning, one[2])])
"""


@pytest.mark.slow
def test_our_warnings_are_heard_after_bertopic_was_loaded() -> None:
    pytest.importorskip("bertopic", reason="needs BERTopic: pip install 'pluristats[topics]'")
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
