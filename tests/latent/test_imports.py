from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT
from tests.test_architecture import HEAVY


def test_simulating_and_importing_baselines_loads_nothing_heavy() -> None:
    code = (
        "import pluristats.latent.baselines, pluristats.latent.tables, pluristats.latent.metrics, sys\n"
        "from pluristats.latent.simulators import MODELS\n"
        "for model in MODELS.values(): model.simulate(n_agents=2, n_trials=3)\n"
        "print('MODULES', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "pluristats" in loaded
    assert not loaded & HEAVY
