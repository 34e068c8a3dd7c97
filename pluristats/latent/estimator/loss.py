"""What training makes small: Gaussian and categorical log losses of the latents, over the trials that are there."""

from __future__ import annotations

from typing import Any


def joint(
    parts: tuple[Any, Any, tuple[Any, ...]],
    targets: tuple[Any, Any],
    there: Any,
    weights: tuple[tuple[float, ...], tuple[float, ...]],
    beta: float,
) -> Any:
    """Weighted sum of the latents' mean losses.

    Formula: Σ_c w_c mean[v^β (log v + (y - m)²/v) / 2] - Σ_d w_d mean[log p(state)], with v^β held constant.

    Parameters
    ----------
    parts
        Means, log variances and logits, of ``net.split``.
    targets
        Standardised continuous latents (N, T, C), and states (N, T, D).
    there
        Boolean tensor, shape (N, T): trials that count, at least one.
    weights
        Of the continuous and of the discrete latents.
    beta
        0 is the log likelihood (without its constant).

    Returns
    -------
    Any
        A tensor with one number.
    """
    from torch.nn.functional import cross_entropy

    mean, log_variance, logits = parts
    continuous, states = targets
    m, s, y = mean[there], log_variance[there], continuous[there]
    gaussian = 0.5 * (s + (y - m).square() * (-s).exp())
    if beta:
        gaussian = gaussian * (beta * s.detach()).exp()
    total = (gaussian.mean(dim=0) * gaussian.new_tensor(weights[0])).sum()
    for d, (logit, weight) in enumerate(zip(logits, weights[1], strict=True)):
        total = total + weight * cross_entropy(logit[there], states[there][:, d])
    return total
