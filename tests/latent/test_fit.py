from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from pluristats.errors import LatentError
from pluristats.latent import metrics
from pluristats.latent.baselines import fit_parameters, infer, log_likelihood
from pluristats.latent.priors import Uniform
from pluristats.latent.record import Simulated
from pluristats.latent.simulators import MODELS, rl4

RL4, META = MODELS["rl4"], MODELS["meta-rl"]


@pytest.fixture(scope="module")
def made() -> Simulated:
    return RL4.simulate(n_agents=20, n_trials=400, seed=0)


def test_map_recovers_parameters_and_values(made: Simulated) -> None:
    fit = fit_parameters(RL4, made.trials)
    assert fit.converged.all()
    assert (fit.log_likelihood >= log_likelihood(RL4, made.parameters, made.trials) - 1e-6).all()
    # A temperature so high that nothing is learned from choices says nothing about the rates.
    clear = made.parameters[:, 0] > 2
    for k in range(4):
        assert np.corrcoef(fit.parameters[clear, k], made.parameters[clear, k])[0, 1] > 0.75
    error = metrics.rmse(made.continuous[..., 0], infer(RL4, fit.parameters, made.trials).continuous[..., 0])
    assert np.median(error) < 0.05


def test_each_fit_ends_where_no_direction_rises(made: Simulated) -> None:
    few = {k: v[:5] for k, v in made.trials.items()}
    fit = fit_parameters(RL4, few, priors=None)
    low, high = (np.array([getattr(p, end) for p in RL4.parameters]) for end in ("low", "high"))
    for n in range(5):
        one = {k: v[n : n + 1] for k, v in few.items()}
        slope = approx_fprime(
            fit.parameters[n], lambda x, one=one: float(log_likelihood(RL4, x[None], one)[0]), 1e-7 * (high - low)
        ) * (high - low)
        at_low, at_high = (np.isclose(fit.parameters[n], end, rtol=0, atol=1e-6 * (high - low)) for end in (low, high))
        np.testing.assert_array_equal(fit.at_bound[n], at_low | at_high)
        assert (np.abs(slope[~fit.at_bound[n]]) < 0.05).all()
        assert (slope[at_low] < 0.05).all()
        assert (slope[at_high] > -0.05).all()


def test_priors_pull_and_bound(made: Simulated) -> None:
    few = {k: v[:4] for k, v in made.trials.items()}
    fit = fit_parameters(RL4, few, priors={**rl4.PUBLISHED_PRIORS, "beta": Uniform(0.5, 2)})
    beta, plus, minus, stick = fit.parameters.T
    assert ((beta >= 0.5) & (beta <= 2) & (minus >= 0.5) & (stick <= 0.5)).all()
    expected = fit.log_likelihood + rl4.PUBLISHED_PRIORS["alpha_plus"].log_density(plus)
    np.testing.assert_allclose(fit.log_posterior, expected)


def test_meta_rl_is_fitted_at_least_as_well_as_by_the_truth() -> None:
    made = META.simulate(n_agents=3, n_trials=300, seed=1)
    fit = fit_parameters(META, made.trials, n_starts=3)
    lapse, recover = META.parameters[-2].prior, META.parameters[-1].prior
    truth = log_likelihood(META, made.parameters, made.trials)
    truth = truth + lapse.log_density(made.parameters[:, -2]) + recover.log_density(made.parameters[:, -1])
    assert (fit.log_posterior >= truth - 1e-6).all()
    found = infer(META, fit.parameters, made.trials)
    assert metrics.balanced_accuracy(made.discrete[..., 0], found.states[..., 0]) > 0.7


def test_the_same_seed_gives_the_same_fit(made: Simulated) -> None:
    few = {k: v[:3] for k, v in made.trials.items()}
    one, two = (fit_parameters(RL4, few, n_starts=2, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.parameters, two.parameters)


@pytest.mark.slow
def test_processes_do_not_change_the_numbers() -> None:
    made = RL4.simulate(n_agents=30, n_trials=60, seed=2)
    one, two = (fit_parameters(RL4, made.trials, n_starts=2, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one.parameters, two.parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_starts": 0}, "at least 1, not 0"),
        ({"priors": "flat"}, "priors is 'model', None or a mapping"),
        ({"priors": {"gamma": Uniform(0, 1)}}, "no parameter 'gamma'; it has beta"),
        ({"priors": {"beta": Uniform(20, 30)}}, "leaves nothing of the parameter's bounds"),
    ],
)
def test_what_cannot_be_fitted_is_refused(made: Simulated, arguments: dict, message: str) -> None:
    with pytest.raises(LatentError, match=message):
        fit_parameters(RL4, {k: v[:1] for k, v in made.trials.items()}, **arguments)
