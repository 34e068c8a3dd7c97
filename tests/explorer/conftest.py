from __future__ import annotations

import warnings

import pytest

import pluristats as ps


@pytest.fixture(scope="session")
def study() -> ps.Study:
    return ps.simulate_study(n_annotators=16, n_prompts=40, seed=3, n_features=4, n_traits=3, n_interactions=2)


@pytest.fixture(scope="session")
def fit(study: ps.Study) -> ps.LmerFit:
    a, b = study.groups["actions"][:2]
    t = study.groups["traits"][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ps.lmer(f"rating ~ {a} + {b} + {t} + {t}:{a} + (1|annotator) + (1|prompt)", study)
