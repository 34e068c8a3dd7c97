"""R-style models: ``lmer`` and what a fit can tell (``tidy``, ``glance``, ``augment``, ``ranef``, ``varcorr``)."""

from pluristats.models.compare import anova, compare
from pluristats.models.fit import LmerFit
from pluristats.models.lmer import lmer
from pluristats.models.r2 import R2

__all__ = ["R2", "LmerFit", "anova", "compare", "lmer"]
