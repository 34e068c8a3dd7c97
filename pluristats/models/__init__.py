"""R-style models: ``lmer`` and what a fit can tell (``tidy``, ``glance``, ``augment``, ``ranef``, ``varcorr``)."""

from pluristats.models.bootstrap import Bootstrap
from pluristats.models.compare import anova, compare
from pluristats.models.fit import LmerFit
from pluristats.models.influence import Influence
from pluristats.models.lmer import lmer
from pluristats.models.power import power
from pluristats.models.r2 import R2

__all__ = ["R2", "Bootstrap", "Influence", "LmerFit", "anova", "compare", "lmer", "power"]
