"""What language models say about prompts, as features: trees of harms and benefits, values and their topics.

>>> from pluristats import extract
>>> prompts = extract.load_prompts("variants.parquet")  # doctest: +SKIP
>>> trees = extract.extract_trees(prompts.units("seed"), client)  # doctest: +SKIP
>>> values = extract.extract_values(prompts.units("prompt"), client)  # doctest: +SKIP
>>> extract.feature_table(prompts, trees, profile=ps.features.load_profile("graded")).table  # doctest: +SKIP
"""

from pluristats.extract.pool import FeatureTable, feature_table
from pluristats.extract.prompts import Prompts, load_prompts, prompts_of
from pluristats.extract.recipe import Recipe, Taken, collect, dry_run, take
from pluristats.extract.summary import feature_summary
from pluristats.extract.topics import collect_names, name_topics, value_features
from pluristats.extract.tree_files import load_trees, write_trees
from pluristats.extract.tree_plan import TreePlan, load_tree_template
from pluristats.extract.trees import ExtractedTrees, collect_trees, extract_trees
from pluristats.extract.values import ExtractedValues, ValuePlan, collect_values, extract_values, read_items

__all__ = [
    "ExtractedTrees",
    "ExtractedValues",
    "FeatureTable",
    "Prompts",
    "Recipe",
    "Taken",
    "TreePlan",
    "ValuePlan",
    "collect",
    "collect_names",
    "collect_trees",
    "collect_values",
    "dry_run",
    "extract_trees",
    "extract_values",
    "feature_summary",
    "feature_table",
    "load_prompts",
    "load_tree_template",
    "load_trees",
    "name_topics",
    "prompts_of",
    "read_items",
    "take",
    "value_features",
    "write_trees",
]
