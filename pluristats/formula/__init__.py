"""From a formula and a table to arrays.

``parse`` takes lme4's bars apart, ``expand`` replaces feature groups, ``design`` builds columns, rows and factors.
"""

from pluristats.formula.columns import shown
from pluristats.formula.design import Design, Recipe, build_design, grouping_factor, level_label
from pluristats.formula.given import Given, Values
from pluristats.formula.parse import ParsedFormula, RandomTerm, parse_formula, refuse_offsets

__all__ = [
    "Design",
    "Given",
    "ParsedFormula",
    "RandomTerm",
    "Recipe",
    "Values",
    "build_design",
    "grouping_factor",
    "level_label",
    "parse_formula",
    "refuse_offsets",
    "shown",
]
