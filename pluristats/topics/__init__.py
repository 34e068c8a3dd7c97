"""Topics of values, rights and duties, found by BERTopic, and the signed topic features of prompts.

>>> from pluristats import topics
>>> model = topics.fit_topics(items["text"])  # doctest: +SKIP
>>> model.topics  # doctest: +SKIP
>>> topics.topic_features(items, model.topic_of_text(items["text"]))  # doctest: +SKIP
"""

from pluristats.topics.embed import CustomEmbedder, Embedder
from pluristats.topics.features import topic_features
from pluristats.topics.files import load_topics
from pluristats.topics.fit import fit_topics
from pluristats.topics.light import LightEmbedder, light_embedder
from pluristats.topics.model import TopicModel
from pluristats.topics.nearest import Agreement
from pluristats.topics.sentences import SentenceEmbedder, sentence_embedder
from pluristats.topics.settings import Settings

__all__ = [
    "Agreement",
    "CustomEmbedder",
    "Embedder",
    "LightEmbedder",
    "SentenceEmbedder",
    "Settings",
    "TopicModel",
    "fit_topics",
    "light_embedder",
    "load_topics",
    "sentence_embedder",
    "topic_features",
]
