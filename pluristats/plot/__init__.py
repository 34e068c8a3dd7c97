"""Figures: one function each, tidy tables in, matplotlib axes out.

``plot.<name>(table, ...)`` draws on ``ax`` or a new figure and returns the axes; ``plot.describe_<name>(table, ...)``
gives the alternative text of the same figure, computed from the same arguments.
"""

from pluristats.display.labels import display_label
from pluristats.plot.bylevel import (
    describe_levels,
    describe_missingness,
    describe_rating_distributions,
    levels,
    missingness,
    rating_distributions,
)
from pluristats.plot.checks import describe_residuals, residuals
from pluristats.plot.coefficients import describe_forest, forest
from pluristats.plot.composition import composition, describe_composition
from pluristats.plot.errors import (
    calibration,
    describe_calibration,
    describe_error_by_disagreement,
    describe_mae_by_annotator,
    describe_mae_curve,
    error_by_disagreement,
    mae_by_annotator,
    mae_curve,
)
from pluristats.plot.evaluation import describe_mae_bars, mae_bars
from pluristats.plot.features import describe_feature_summary, feature_summary
from pluristats.plot.latent import (
    describe_order_effects,
    describe_recovery,
    describe_trajectories,
    order_effects,
    recovery,
    trajectories,
)
from pluristats.plot.likelihoods import describe_sensitivity, sensitivity
from pluristats.plot.multiverse import describe_specification_curve, specification_curve
from pluristats.plot.prompts import describe_disagreement, disagreement
from pluristats.plot.rungs import describe_ladder, ladder
from pluristats.plot.selection import (
    describe_selection_achieved,
    describe_selection_trace,
    selection_achieved,
    selection_trace,
)
from pluristats.plot.theme import MARKERS, PALETTE, safe, style
from pluristats.plot.trees import contributions, describe_contributions, describe_harm_tree, harm_tree
from pluristats.plot.variants import describe_variant_checks, variant_checks

__all__ = [
    "MARKERS",
    "PALETTE",
    "calibration",
    "composition",
    "contributions",
    "describe_calibration",
    "describe_composition",
    "describe_contributions",
    "describe_disagreement",
    "describe_error_by_disagreement",
    "describe_feature_summary",
    "describe_forest",
    "describe_harm_tree",
    "describe_ladder",
    "describe_levels",
    "describe_mae_bars",
    "describe_mae_by_annotator",
    "describe_mae_curve",
    "describe_missingness",
    "describe_order_effects",
    "describe_rating_distributions",
    "describe_recovery",
    "describe_residuals",
    "describe_selection_achieved",
    "describe_selection_trace",
    "describe_sensitivity",
    "describe_specification_curve",
    "describe_trajectories",
    "describe_variant_checks",
    "disagreement",
    "display_label",
    "error_by_disagreement",
    "feature_summary",
    "forest",
    "harm_tree",
    "ladder",
    "levels",
    "mae_bars",
    "mae_by_annotator",
    "mae_curve",
    "missingness",
    "order_effects",
    "rating_distributions",
    "recovery",
    "residuals",
    "safe",
    "selection_achieved",
    "selection_trace",
    "sensitivity",
    "specification_curve",
    "style",
    "trajectories",
    "variant_checks",
]
