"""Strategic selection: rows of a pool whose distributions are near a target's, and a bound on how near any can be.

>>> import pluristats as ps
>>> from pluristats import select
>>> pool = select.simulate_pool(n_seeds=200)
>>> found = ps.select_prompts(pool, size=50, seed=1, generations=4)  # doctest: +SKIP
>>> found.distance, found.bound.distance, found.gap  # doctest: +SKIP
>>> found.tidy(), found.frame(), found.trace  # doctest: +SKIP
"""

from pluristats.select.bound import Bound, lower_bound
from pluristats.select.constraints import Constraints
from pluristats.select.distance import divergence
from pluristats.select.diversity import Diversity, diversity
from pluristats.select.pool import Pool, measure, read_pool
from pluristats.select.result import Selection
from pluristats.select.select import Sensitivity, evaluate_selection, seed_sensitivity, select_prompts
from pluristats.select.settings import METHODS, Settings
from pluristats.select.simulate import OUT_OF_REACH, SKEW, simulate_pool
from pluristats.select.target import Axis, Target, load_target, target_names

__all__ = [
    "METHODS",
    "OUT_OF_REACH",
    "SKEW",
    "Axis",
    "Bound",
    "Constraints",
    "Diversity",
    "Pool",
    "Selection",
    "Sensitivity",
    "Settings",
    "Target",
    "divergence",
    "diversity",
    "evaluate_selection",
    "load_target",
    "lower_bound",
    "measure",
    "read_pool",
    "seed_sensitivity",
    "select_prompts",
    "simulate_pool",
    "target_names",
]
