"""A topic model made by hand: texts on a circle, so that it is known which are near."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from pluristats.topics import Agreement, CustomEmbedder, Settings, TopicModel
from pluristats.topics.embed import unit


def angle(text: str) -> float:
    """Where a text stands: "12 …" at 12 degrees; anything else where its hash says, from 180 to 270."""
    head = text.split(" ")[0]
    return float(head) if head.isdecimal() else 180 + hashlib.sha256(repr(text).encode()).digest()[0] * 90 / 255


def circle(texts: list[str]) -> np.ndarray:
    """Unit vectors; of "nothing" 0."""
    radians = np.radians([angle(text) for text in texts])
    vectors = np.column_stack([np.cos(radians), np.sin(radians)])
    vectors[[text == "nothing" for text in texts]] = 0
    return vectors


CIRCLE = CustomEmbedder(circle, "circle")


def by_hand(*more: str, k: int = 3, simulated: bool = False) -> TopicModel:
    """Topic 0 from 0 to 9 degrees, 1 from 40 to 45, no topic from 90 to 92, and ``more`` texts of no topic."""
    numbers = [*range(10), *range(40, 46), *range(90, 93)]
    topics = {f"{i} degrees": 0 if i < 10 else 1 if i < 46 else -1 for i in numbers}
    topics |= dict.fromkeys(more, -1)
    texts = tuple(sorted(topics))
    rows = [(0, 1, "warm", 0.5), (0, 2, "warm light", 0.25), (1, 1, "cold", 0.125)]
    return TopicModel(
        texts=texts,
        counts=np.arange(1, len(texts) + 1),
        topic=np.array([topics[text] for text in texts], dtype=np.int64),
        vectors=unit(circle(list(texts))),
        keywords=pd.DataFrame(rows, columns=["topic", "rank", "keyword", "weight"]).astype({"keyword": object}),
        names=("warm, light", "cold"),
        name_sources=("keywords", "keywords"),
        settings=Settings(topics=2, n_neighbors=k),
        far=float(np.cos(np.radians(5.5))),
        agreement=Agreement(len(texts), 0.9, float("nan")),
        merged_from=3,
        embedding=CIRCLE.identity,
        versions={"bertopic": "0"},
        simulated=simulated,
        embedder=CIRCLE,
    )
