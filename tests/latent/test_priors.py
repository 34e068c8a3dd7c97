from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pluristats.errors import LatentError
from pluristats.latent.priors import Beta, Normal, Uniform
from pluristats.latent.record import Prior

CASES: list[tuple[Prior, object]] = [
    (Uniform(-1, 3), stats.uniform(-1, 4)),
    (Beta(8, 3), stats.beta(8, 3)),
    (Normal(0.5, 2), stats.norm(0.5, 2)),
]


@pytest.mark.parametrize(("prior", "scipys"), CASES, ids=["uniform", "beta", "normal"])
def test_density_and_draws_are_scipys(prior: Prior, scipys) -> None:
    x = np.array([-2.0, -1.0, 0.2, 0.5, 0.9, 2.9, 4.0])
    np.testing.assert_allclose(prior.log_density(x), scipys.logpdf(x))
    assert stats.kstest(prior.draw(np.random.default_rng(0), 4000), scipys.cdf).pvalue > 1e-3


@pytest.mark.parametrize("make", [lambda: Uniform(1, 1), lambda: Beta(0, 1), lambda: Normal(0, -1)])
def test_no_distribution_is_refused(make) -> None:
    with pytest.raises(LatentError):
        make()
