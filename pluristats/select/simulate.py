r"""A simulated pool of candidates of the size and sparsity of the study's: 5,692 seeds at 11 harm levels, 62 features.

A seed has actions and effects, which its variants share; a variant has value topics of its own. Which categories a row
has is drawn without replacement with weights that fall geometrically, w_c ∝ r^(−c / (C − 1)), r the ratio of the most
to the least common category's weight:

    actions   at most 5 of 16 (5, 4, 3, 2 of them with probabilities 142, 5, 2, 1 of 150), shares Dirichlet(0.6) + 1/T
    effects   3 of 7, shares Dirichlet(8)
    values    0 … 5 of 39 (2, 7, 35, 32, 37, 37 of 150), ± Beta(3, 1.7); a variant of level l supports with probability
              1 − l. A seed's variants tend to the same topics: log w is moved by a normal number of seed and topic.

The counts are those of the 150 released prompts, whose total masses have ratios of about 8, 8 and 11 after they were
selected to be uniform; the pool's own are not published. The numbers of this module are parameters, not data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.errors import PoolError
from pluristats.study.release import ACTIONS, EFFECTS, VALUES

Array = NDArray[np.float64]
N_SEEDS = 5_692
SKEW = (8.0, 8.0, 11.0)
OUT_OF_REACH = (400.0, 400.0, 20_000.0)
"""Ratios of weights at which no 150 rows are uniform: the rarest categories have too little mass."""

# How many categories a row has, and how often that is so of 150.
_N_ACTIONS = {2: 1, 3: 2, 4: 5, 5: 142}
_N_EFFECTS = {3: 1}
_N_VALUES = {0: 2, 1: 7, 2: 35, 3: 32, 4: 37, 5: 37}


def simulate_pool(
    n_seeds: int = N_SEEDS, seed: int = 0, *, levels: int = 11, skew: Sequence[float] = SKEW
) -> pd.DataFrame:
    """Simulate a pool: one row a seed and level, without texts.

    Parameters
    ----------
    n_seeds
        Seeds, at least 1.
    seed
        Of the random numbers.
    levels
        Harm levels from 0 to 1 in steps of a tenth: 1 to 11 of them, beginning with 0.
    skew
        Ratio of the most to the least common category's weight: actions, effects, values; each at least 1.

    Returns
    -------
    pandas.DataFrame
        ``seed`` (1, 2, …), ``harm_level``, 16 ``action_*`` and 7 ``effect_*`` shares that sum to 1, 39
        ``value_topic_*`` valences from −1 to 1, ``simulated`` (True).

    Raises
    ------
    PoolError
        Arguments are out of their ranges.
    """
    if n_seeds < 1 or not 1 <= levels <= 11:
        raise PoolError(f"a simulated pool has at least 1 seed and 1 to 11 levels, not {n_seeds} and {levels}.")
    if len(skew) != 3 or not all(1 <= ratio < np.inf for ratio in skew):
        raise PoolError(f"skew is three ratios of at least 1 (actions, effects, values), not {tuple(skew)!r}.")
    rng = np.random.default_rng(seed)
    n = n_seeds * levels
    of_seed, level = np.divmod(np.arange(n), levels)
    action_weight, effect_weight, value_weight = (
        np.tile(np.log(ratio) * -np.linspace(0, 1, len(names)), (n_seeds, 1))
        for ratio, names in zip(skew, (ACTIONS, EFFECTS, VALUES), strict=True)
    )
    actions = _shares(_chosen(action_weight, _N_ACTIONS, rng), 0.6, rng)
    effects = _shares(_chosen(effect_weight, _N_EFFECTS, rng), 8.0, rng)
    leaning = value_weight + rng.normal(size=value_weight.shape)
    topics = _chosen(leaning[of_seed], _N_VALUES, rng)
    signs = np.where(rng.random(topics.shape) < level[:, None] / 10, -1.0, 1.0)
    values = topics * signs * np.round(rng.beta(3.0, 1.7, topics.shape), 10)
    features = np.column_stack([actions[of_seed], effects[of_seed], values + 0.0])
    head = pd.DataFrame({"seed": of_seed + 1, "harm_level": level / 10})
    table = pd.concat([head, pd.DataFrame(features, columns=[*ACTIONS, *EFFECTS, *VALUES])], axis="columns")
    return table.assign(simulated=True)


def _chosen(log_weight: Array, counts: dict[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which categories each row has, shape of ``log_weight``: the largest of log weight + Gumbel noise.

    That is drawing without replacement in proportion to the weights (Efraimidis & Spirakis 2006).
    """
    many = np.array(list(counts.values()), dtype=np.float64)
    k = rng.choice(list(counts), size=len(log_weight), p=many / many.sum())
    keys = log_weight + rng.gumbel(size=log_weight.shape)
    rank = np.argsort(np.argsort(-keys, axis=1), axis=1)
    return rank < k[:, None]


def _shares(chosen: NDArray[np.bool_], evenness: float, rng: np.random.Generator) -> Array:
    """Shares of the chosen categories, rows sum to 1: Dirichlet(evenness) with a hundredth added to each."""
    drawn = np.where(chosen, rng.gamma(evenness, size=chosen.shape) + 0.01 * evenness, 0.0)
    return drawn / drawn.sum(axis=1, keepdims=True)
