"""Variants of seed prompts: every seed rewritten by a chat model at every harm level, checked, in one table.

>>> import pluristats as ps
>>> from pluristats.llm import ChatClient, Endpoint, ResponseStore
>>> seeds = ps.load_seeds("seeds.csv")  # doctest: +SKIP
>>> client = ChatClient(Endpoint("https://api.openai.com/v1", "gpt-4o-mini"), ResponseStore("answers.sqlite"))
... # doctest: +SKIP
>>> variants = ps.generate_variants(seeds, client, levels=[0.0, 0.5, 1.0])  # doctest: +SKIP
>>> variants.checks().counts()  # doctest: +SKIP
"""

from pluristats.generate.checks import Checks, check_variants
from pluristats.generate.seeds import Seeds, example_seeds, load_air_bench, load_seeds
from pluristats.generate.variants import LEVELS, Plan, Variants, collect_variants, generate_variants
from pluristats.texts.templates import Template, load_template

__all__ = [
    "LEVELS",
    "Checks",
    "Plan",
    "Seeds",
    "Template",
    "Variants",
    "check_variants",
    "collect_variants",
    "example_seeds",
    "generate_variants",
    "load_air_bench",
    "load_seeds",
    "load_template",
]
