"""How much people disagree, about what, and how far their means can be trusted.

``prompts`` (per prompt), ``levels`` (per harm level), ``alpha`` (Krippendorff), ``shares`` (variance components and
reliability), ``unsure`` (answers that were withheld).
"""

from pluristats.analysis.disagreement.alpha import Alpha, krippendorff_alpha
from pluristats.analysis.disagreement.levels import Correlation, HarmLevels, by_harm_level, spearman_level
from pluristats.analysis.disagreement.prompts import (
    entropy_bits,
    has_harm_levels,
    prompt_statistics,
    rating_histogram,
    rating_matrix,
)
from pluristats.analysis.disagreement.shares import Generalisability, VarianceShares, generalisability, variance_shares
from pluristats.analysis.disagreement.unsure import Unsure, unsure

__all__ = [
    "Alpha",
    "Correlation",
    "Generalisability",
    "HarmLevels",
    "Unsure",
    "VarianceShares",
    "by_harm_level",
    "entropy_bits",
    "generalisability",
    "has_harm_levels",
    "krippendorff_alpha",
    "prompt_statistics",
    "rating_histogram",
    "rating_matrix",
    "spearman_level",
    "unsure",
    "variance_shares",
]
