"""Values, rights and duties that bear on prompts: named and judged by KALEIDO, filtered, in one table.

>>> from pluristats.topics import sentence_embedder
>>> from pluristats.values import Kaleido, filter_items, overall_valence
>>> kaleido = Kaleido.load("allenai/kaleido-base")  # doctest: +SKIP
>>> found = kaleido.items({"q1": "How do I pick a lock?"}, journal="values.jsonl")  # doctest: +SKIP
>>> embed = sentence_embedder("sentence-transformers/all-mpnet-base-v2")  # doctest: +SKIP
>>> kept = filter_items(found.items, kaleido.thresholds, embed)  # doctest: +SKIP
>>> overall_valence(kept.items)  # doctest: +SKIP
"""

from pluristats.values.filter import Filtered, filter_items
from pluristats.values.items import COLUMNS, VRD, check_items, overall_valence, parse_item
from pluristats.values.kaleido import Candidates, Kaleido
from pluristats.values.thresholds import Thresholds

__all__ = [
    "COLUMNS",
    "VRD",
    "Candidates",
    "Filtered",
    "Kaleido",
    "Thresholds",
    "check_items",
    "filter_items",
    "overall_valence",
    "parse_item",
]
