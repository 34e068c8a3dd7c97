"""The search over penalties: its BICs are those of ordinary refits, and its luck is what it should be."""

from __future__ import annotations

import numpy as np
import pytest

from pluristats.analysis.search import PathBics, path_bics


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Ten columns of rank 9, one of them constant, far from zero."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 10)) * np.geomspace(0.01, 10, 10) + 40.0
    x[:, 3] = 7.0
    x[:, 6] = x[:, 5] + 2 * x[:, 7]
    return x, x[:, 8] - 40 * x[:, 1] + rng.normal(size=120)


def test_bics_are_those_of_statsmodels_refits(data: tuple[np.ndarray, np.ndarray]) -> None:
    import statsmodels.api as sm
    from sklearn.linear_model import Lasso

    x, y = data
    found = path_bics(x, y)
    sd = x.std(axis=0)
    z = np.where(sd > 1e-9, (x - x.mean(axis=0)) / np.maximum(sd, 1e-9), 0.0)
    assert len(found.bic) > 6
    assert (np.diff(found.penalty) < 0).all()
    for penalty, n_selected, bic in zip(found.penalty, found.n_selected, found.bic, strict=True):
        kept = Lasso(alpha=penalty, tol=1e-13, max_iter=1_000_000).fit(z, y - y.mean()).coef_ != 0
        assert kept.sum() == n_selected
        assert bic == pytest.approx(sm.OLS(y, sm.add_constant(x[:, kept])).fit().bic, rel=1e-9)
    assert found.n_selected[0] == 0
    assert found.bic[0] == pytest.approx(sm.OLS(y, np.ones(120)).fit().bic)


def test_hits_are_within_rounding() -> None:
    bics = PathBics(np.array([3.0, 2.0, 1.0]), np.array([1, 2, 3]), np.array([100.4, 99.4, 250.0]))
    assert bics.hits(100.0).tolist() == [0]
    assert bics.hits(99.9).tolist() == [0, 1]
    assert bics.hits(100.4, within=1.0).tolist() == [0, 1]
    assert bics.hits(180.0).tolist() == []


def test_chance_is_the_share_of_targets_that_are_hit() -> None:
    def chance(*bics: float) -> float:
        return PathBics(np.zeros(len(bics)), np.zeros(len(bics)), np.array(bics)).chance(0.0, 100.0)

    assert chance(50.0) == pytest.approx(0.01, abs=0.001)
    assert chance(20.0, 50.0, 80.0) == pytest.approx(0.03, abs=0.002)
    assert chance(50.0, 50.2) == pytest.approx(0.012, abs=0.001)
    assert chance(-7.0, 300.0) == 0.0
    assert chance(*np.arange(0.0, 101.0)) == 1.0
