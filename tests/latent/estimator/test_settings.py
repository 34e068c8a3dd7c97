from __future__ import annotations

import json
from typing import Any

import pytest

from pluristats.errors import LatentError
from pluristats.latent.estimator import PUBLISHED, PUBLISHED_TUNED, Settings


def test_the_published_configurations_are_those_of_the_paper() -> None:
    assert (PUBLISHED.units, PUBLISHED.dropout, PUBLISHED.rate) == (70, (0.2, 0.2, 0.1), 3e-4)
    assert (PUBLISHED.batch, PUBLISHED.epochs, PUBLISHED.patience, PUBLISHED.held_out) == (128, 600, 35, 0.1)
    assert (PUBLISHED_TUNED.units, PUBLISHED_TUNED.dropout) == (193, (0.07, 0.053, 0.014))


def test_settings_survive_json() -> None:
    settings = Settings(units=12, dropout=(0.1, 0.0, 0.2), weights={"state": 0.2}, rate=0.1 + 0.2)
    assert Settings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"units": 3}, "units=3"),
        ({"units": 8.0}, "units=8.0"),
        ({"epochs": 0}, "epochs=0"),
        ({"threads": 0}, "threads=0"),
        ({"dropout": (0.1, 0.1)}, "three shares"),
        ({"dropout": (0.1, 0.1, 1.0)}, "three shares"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"schedule": "cosine"}, "'one-cycle' or 'constant'"),
        ({"beta": 1.1}, "beta=1.1"),
        ({"shortest": 0.0}, "shortest=0.0"),
        ({"missing": 1.0}, "missing=1.0"),
        ({"held_out": 1.0}, "held_out=1.0"),
        ({"weights": {"q": 0.0}}, "weights"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(LatentError, match="cannot be") as error:
        Settings(**wrong)
    assert says in str(error.value)
