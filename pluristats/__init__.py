"""pluristats: the statistical workbench for pluralistic human judgement.

>>> import pluristats as ps
>>> study = ps.simulate_study(seed=1)
>>> fit = ps.lmer("rating ~ actions + (1|annotator) + (1|prompt)", study)  # doctest: +SKIP

Names are loaded when first used, so that ``import pluristats`` is quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# The public surface: name -> module that has it.
_EXPORTS = {
    "Bootstrap": "pluristats.models",
    "ETable": "pluristats.analysis.etable",
    "Evaluation": "pluristats.evaluation",
    "Influence": "pluristats.models",
    "Ladder": "pluristats.analysis",
    "LassoLmer": "pluristats.lasso",
    "LassoRule": "pluristats.lasso",
    "Ledger": "pluristats.analysis",
    "LmerFit": "pluristats.models",
    "Moderation": "pluristats.evaluation",
    "Multiverse": "pluristats.analysis.multiverse",
    "OrderedBetaFit": "pluristats.models.ordered_beta",
    "R2": "pluristats.models",
    "Selection": "pluristats.select",
    "Sensitivity": "pluristats.analysis",
    "Study": "pluristats.study",
    "anova": "pluristats.models",
    "bic_ladder": "pluristats.analysis",
    "check_study": "pluristats.study",
    "check_variants": "pluristats.generate",
    "chunks": "pluristats.stream",
    "collect_variants": "pluristats.generate",
    "compare": "pluristats.models",
    "cross_validated_r2": "pluristats.analysis",
    "draw_splits": "pluristats.evaluation",
    "etable": "pluristats.analysis.etable",
    "evaluate": "pluristats.evaluation",
    "evaluate_selection": "pluristats.select",
    "explore": "pluristats.explorer",
    "fetch_release": "pluristats.study",
    "fit_ratings": "pluristats.latent.ratings",
    "generate_variants": "pluristats.generate",
    "lasso_lmer": "pluristats.lasso",
    "lasso_select": "pluristats.lasso",
    "likelihood_sensitivity": "pluristats.analysis",
    "lmer": "pluristats.models",
    "load_air_bench": "pluristats.generate",
    "load_seeds": "pluristats.generate",
    "load_study": "pluristats.study",
    "load_target": "pluristats.select",
    "moderate": "pluristats.evaluation",
    "multiverse": "pluristats.analysis.multiverse",
    "open_study": "pluristats.study",
    "order_effects": "pluristats.latent.ratings",
    "ordered_beta": "pluristats.models.ordered_beta",
    "power": "pluristats.models",
    "reproduction_ledger": "pluristats.analysis",
    "rq1": "pluristats.analysis",
    "rq2": "pluristats.analysis",
    "rq3": "pluristats.analysis",
    "score_factors": "pluristats.study",
    "seed_sensitivity": "pluristats.select",
    "select_prompts": "pluristats.select",
    "simulate_pool": "pluristats.select",
    "simulate_study": "pluristats.study",
    "write_study": "pluristats.study",
}
_MODULES = (
    "analysis", "errors", "evaluation", "extract", "features", "latent", "plot", "report", "select", "topics", "values",
)  # fmt: skip

__all__ = ["__version__", *_EXPORTS, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"pluristats.{name}")
    else:
        raise AttributeError(f"module 'pluristats' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
