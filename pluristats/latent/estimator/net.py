"""The network: a recurrent layer in each direction over an agent's trials, two dense layers, one head a latent.

    a_t = GRU(x_1 … x_t),   b_t = GRU(x_L … x_t),   out_t = W relu(W₂ relu(W₁ [a_t, b_t]))

The backward direction begins at the agent's own last trial L, so that what stands beyond it changes nothing. Inputs are
standardised, 0 where a trial is missing, and one more column says whether the trial is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import LatentError

if TYPE_CHECKING:
    from collections.abc import Iterator

Weights = Mapping[str, NDArray[np.float32]]

# Log variances of standardised targets beyond these are numerical accidents.
_LOG_VARIANCE = (-12.0, 6.0)


def need_torch() -> Any:
    """The module.

    Raises
    ------
    LatentError
        It is not installed.
    """
    try:
        import torch
    except ImportError:
        raise LatentError("latent networks need PyTorch; pip install 'pluristats[latent]'") from None
    return torch


def device_of(name: str | None) -> Any:
    """The device of this name; without one, a GPU where there is one, else the CPU.

    Raises
    ------
    LatentError
        Torch does not have it.
    """
    torch = need_torch()
    chosen = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(1, device=chosen).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LatentError(f"device {name!r} cannot be used ({reason}); name another, such as 'cpu'") from None


@contextmanager
def seeded(seed: int, threads: int | None) -> Iterator[None]:
    """Torch's global random numbers from a seed, and its threads as wanted; both as they were afterwards."""
    torch = need_torch()
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def shapes(n_inputs: int, n_continuous: int, n_states: tuple[int, ...], units: int) -> dict[str, tuple[int, ...]]:
    """Shape of every weight by its name; without torch, so that a file can be checked before it is used."""
    n_out = 2 * n_continuous + sum(n_states)
    found: dict[str, tuple[int, ...]] = {}
    for direction in ("ahead", "back"):
        found[f"{direction}.weight_ih_l0"] = (3 * units, n_inputs + 1)
        found[f"{direction}.weight_hh_l0"] = (3 * units, units)
        found[f"{direction}.bias_ih_l0"] = found[f"{direction}.bias_hh_l0"] = (3 * units,)
    sizes = [2 * units, units // 2, units // 4, n_out]
    for k, name in enumerate(("dense1", "dense2", "heads")):
        found[f"{name}.weight"], found[f"{name}.bias"] = (sizes[k + 1], sizes[k]), (sizes[k + 1],)
    return found


def build(n_inputs: int, n_continuous: int, n_states: tuple[int, ...], units: int) -> Any:
    """Layers with random weights (torch's global random numbers)."""
    from torch import nn

    n_out = 2 * n_continuous + sum(n_states)
    return nn.ModuleDict(
        {
            "ahead": nn.GRU(n_inputs + 1, units, batch_first=True),
            "back": nn.GRU(n_inputs + 1, units, batch_first=True),
            "dense1": nn.Linear(2 * units, units // 2),
            "dense2": nn.Linear(units // 2, units // 4),
            "heads": nn.Linear(units // 4, n_out),
        }
    )


def forward(net: Any, inputs: Any, observed: Any, dropout: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Any:
    """What the heads say of every trial.

    Parameters
    ----------
    net
        Of :func:`build`.
    inputs
        Tensor, shape (N, T, d), standardised.
    observed
        Boolean tensor, shape (N, T).
    dropout
        Shares dropped while training; none of them otherwise.

    Returns
    -------
    Any
        Tensor, shape (N, T, 2 C + states). Beyond an agent's last observed trial it means nothing.
    """
    from torch import cat
    from torch.nn.functional import dropout as drop
    from torch.nn.functional import relu

    there = observed.unsqueeze(-1)
    seen = cat([inputs.masked_fill(~there, 0.0), there.to(inputs.dtype)], dim=-1)
    turned = _turn(observed)
    ahead, _ = net["ahead"](seen)
    back, _ = net["back"](_taken(seen, turned))
    hidden = drop(cat([ahead, _taken(back, turned)], dim=-1), dropout[0], net.training)
    hidden = drop(relu(net["dense1"](hidden)), dropout[1], net.training)
    hidden = drop(relu(net["dense2"](hidden)), dropout[2], net.training)
    return net["heads"](hidden)


def split(out: Any, n_continuous: int, n_states: tuple[int, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
    """Means and log variances (N, T, C) of standardised continuous latents, and logits of each discrete one."""
    mean, log_variance = out[..., :n_continuous], out[..., n_continuous : 2 * n_continuous]
    logits, start = [], 2 * n_continuous
    for n in n_states:
        logits.append(out[..., start : start + n])
        start += n
    return mean, log_variance.clamp(*_LOG_VARIANCE), tuple(logits)


def _turn(observed: Any) -> Any:
    """Index that reverses each agent's trials up to the last observed one and leaves the rest: its own inverse."""
    from torch import arange

    trial = arange(observed.shape[1], device=observed.device)
    length = ((trial + 1) * observed).amax(dim=1, keepdim=True)
    return (length - 1 - trial).where(trial < length, trial.expand_as(observed))


def _taken(x: Any, trial: Any) -> Any:
    return x.gather(1, trial.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


def loaded(weights: Weights, sizes: tuple[int, int, tuple[int, ...], int], device: Any) -> Any:
    """Layers with these weights, ready to be asked."""
    import torch

    network = build(*sizes)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    return network.to(device).eval()
