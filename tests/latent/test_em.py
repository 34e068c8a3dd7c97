from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from pluristats.errors import LatentError, LatentWarning
from pluristats.latent import metrics
from pluristats.latent.baselines import fit_glm_hmm, infer_glm_hmm
from pluristats.latent.record import Simulated
from pluristats.latent.simulators import MODELS, glm_hmm
from tests.latent import scalar

MODEL = MODELS["glm-hmm"]


@pytest.fixture(scope="module")
def made() -> Simulated:
    return MODEL.simulate(n_agents=30, n_trials=400, seed=0)


def test_states_under_true_parameters_are_the_sum_over_paths() -> None:
    few = MODEL.simulate(n_agents=2, n_trials=6, seed=1)
    trials = {k: v.copy() for k, v in few.trials.items()}
    trials["action"][0, 2] = trials["reward"][0, 2] = -1
    found = infer_glm_hmm(few.parameters, trials)
    x = glm_hmm.design(trials)
    for n in range(2):
        weights = few.parameters[n].reshape(3, 4)
        smoothed = np.zeros((6, 3))
        for path in scalar.paths(3, 6):
            p = 1 / 3
            for t, z in enumerate(path):
                p *= glm_hmm.TRANSITIONS[path[t - 1], z] if t else 1.0
                right = 1 / (1 + np.exp(-x[n, t] @ weights[z]))
                p *= {1: right, 0: 1 - right, -1: 1.0}[int(trials["action"][n, t])]
            for t, z in enumerate(path):
                smoothed[t, z] += p
        assert found.log_likelihood[n] == pytest.approx(np.log(smoothed[0].sum()))
        np.testing.assert_allclose(found.probabilities[0][n], smoothed / smoothed[0].sum(), atol=1e-12)
    assert found.states[0, 2, 0] == -1


@pytest.mark.parametrize("prior_sd", [1.0, None])
@pytest.mark.parametrize("pooled", [True, False])
def test_em_never_falls(made: Simulated, prior_sd: float | None, pooled: bool) -> None:
    trials = {k: v[:6, :200] for k, v in made.trials.items()}
    with pytest.warns(LatentWarning, match="EM had not converged after 15 iterations"):
        fit = fit_glm_hmm(trials, prior_sd=prior_sd, pooled=pooled, max_iterations=15, tolerance=0.0)
    assert len(fit.trace) == 16
    assert np.diff(fit.trace).min() > -1e-9
    np.testing.assert_allclose(fit.transitions.sum(axis=2), 1)
    assert (np.ptp(fit.transitions, axis=0).max() < 1e-12) == pooled


def test_em_ends_where_the_objective_is_flat() -> None:
    made = MODEL.simulate(n_agents=2, n_trials=60, seed=3)
    fit = fit_glm_hmm(made.trials, max_iterations=3000, tolerance=1e-9)
    assert fit.converged

    def objective(weights: np.ndarray) -> float:
        found = infer_glm_hmm(weights.reshape(2, 12), made.trials, transitions=fit.transitions)
        priors = [p.prior for p in MODEL.parameters] * 2
        return float(found.log_likelihood.sum() + sum(p.log_density(w) for p, w in zip(priors, weights, strict=True)))

    slope = approx_fprime(fit.weights.ravel(), objective, 1e-6)
    np.testing.assert_allclose(slope, 0, atol=2e-3)

    # Of the transitions: moving mass between two entries of a row changes nothing to first order.
    def moved(eps: float, k: int, a: int, b: int) -> float:
        matrix = fit.transitions[0].copy()
        matrix[k, a] += eps
        matrix[k, b] -= eps
        return float(infer_glm_hmm(fit.weights, made.trials, transitions=matrix).log_likelihood.sum())

    for k, a, b in ((0, 0, 1), (0, 0, 2), (1, 1, 0), (2, 2, 0)):
        if min(fit.transitions[0, k, [a, b]]) > 1e-3:
            assert abs(moved(1e-6, k, a, b) - moved(-1e-6, k, a, b)) / 2e-6 < 0.05


def test_em_finds_the_states_nearly_as_well_as_the_truth_does(made: Simulated) -> None:
    fit = fit_glm_hmm(made.trials)
    assert fit.converged
    np.testing.assert_allclose(fit.transitions[0], glm_hmm.TRANSITIONS, atol=0.02)
    true = made.discrete[..., 0]
    known = metrics.balanced_accuracy(true, infer_glm_hmm(made.parameters, made.trials).states[..., 0])
    found = metrics.balanced_accuracy(true, fit.inferred.states[..., 0])
    assert known > 0.85
    assert known - 0.03 < found <= known + 0.01
    weights = made.parameters.reshape(-1, 3, 4)
    assert np.corrcoef(weights[:, 0, 0], fit.weights[:, 0, 0])[0, 1] > 0.4
    # What is known of the weights beats the prior means alone.
    assert ((fit.weights - weights) ** 2).mean() < 0.6 * ((glm_hmm.WEIGHT_MEANS - weights) ** 2).mean()


def test_missing_trials_only_let_time_pass(made: Simulated) -> None:
    trials = {k: v[:3, :50] for k, v in made.trials.items()}
    padded = {k: np.pad(v, ((0, 0), (0, 7)), constant_values=-1) for k, v in trials.items()}
    plain, longer = (infer_glm_hmm(made.parameters[:3], t) for t in (trials, padded))
    np.testing.assert_allclose(plain.log_likelihood, longer.log_likelihood)
    np.testing.assert_allclose(plain.probabilities[0], longer.probabilities[0][:, :50])
    assert not longer.mask[:, 50:].any()


def test_a_prior_of_no_width_is_refused(made: Simulated) -> None:
    with pytest.raises(LatentError, match="prior_sd is a positive number"):
        fit_glm_hmm(made.trials, prior_sd=0.0)
