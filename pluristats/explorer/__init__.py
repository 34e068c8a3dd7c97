"""Explore the coefficients of a fit in JupyterLab: numbers first, one widget that shows them.

``pluristats.explore(fit, study)`` or ``fit.explore(study)``; the extra ``[explore]`` has the widget library.
"""

from pluristats.explorer.carriers import Carriers, carriers, weights_of
from pluristats.explorer.coefficients import Coefficients, View, coefficients
from pluristats.explorer.open import explore
from pluristats.explorer.partial import Partial, interactions, partial_effect
from pluristats.explorer.refit import refit, structures

__all__ = [
    "Carriers",
    "Coefficients",
    "Partial",
    "View",
    "carriers",
    "coefficients",
    "explore",
    "interactions",
    "partial_effect",
    "refit",
    "structures",
    "weights_of",
]
