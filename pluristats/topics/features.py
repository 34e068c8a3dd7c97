"""The value features of PluriHarms: which topics the values at stake in a prompt belong to, signed by their valence.

The released ``value_topic_*`` are made so. The items of a prompt (its values, rights and duties) are taken in order of
relevance; those of no topic (-1) are passed over. An item is supportive when its ``supports`` is at least its
``opposes``; its valenced topic is t, or t + n when it opposes, for n topics, and its score is the larger of the two.
Of each valenced topic the first item counts, and the first five valenced topics of a prompt are kept. With s the kept
scores, 0 elsewhere,

    value_topic_j = s[j] − s[j + n].

``either`` is not looked at. So a topic that a prompt both supports and opposes has a difference, and no row has more
than five columns that are not 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.errors import TopicError
from pluristats.topics.texts import shown

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

TOPICS = 39
"""Topics of the release, besides the outliers."""

SCORES = ("relevance", "supports", "opposes")
COLUMNS = ("prompt", "text", *SCORES)
"""What is read of a table of items."""


def topic_features(
    items: pd.DataFrame,
    topic_of_text: Mapping[str, int],
    n_topics: int = TOPICS,
    keep: int = 5,
    *,
    prompts: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Signed topic features, one row a prompt.

    Parameters
    ----------
    items
        One row an item: ``prompt`` (what names its prompt), ``text``, ``relevance``, ``supports``, ``opposes``
        (probabilities). Of equally relevant items of a prompt the earlier row comes first. Further columns are not
        looked at, but for ``simulated``.
    topic_of_text
        Topic of every text, -1 for none: `TopicModel.topic_of_text`.
    n_topics
        How many topics there are.
    keep
        How many valenced topics of a prompt to keep.
    prompts
        Prompts to give a row, in this order; one without items is 0 throughout. None: those of ``items``, in order of
        first occurrence.

    Returns
    -------
    pandas.DataFrame
        ``prompt``, ``value_topic_0``, ``value_topic_1``, …; and, where ``items`` says so, ``simulated`` (any of them).

    Raises
    ------
    TopicError
        A column is missing, a score is not a probability, a text has no topic, a topic is not from -1 to n - 1, or
        ``prompts`` holds one twice or lacks one that has items.
    """
    import pandas as pd

    for name, number in (("n_topics", n_topics), ("keep", keep)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise TopicError(f"{name} is a whole number from 1, not {number!r}.")
    missing = [name for name in COLUMNS if name not in items.columns]
    if missing:
        raise TopicError(f"the table of items has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}.")
    names, of_prompt = _prompts(items["prompt"], prompts)
    relevance, supports, opposes = (_probabilities(items[name]) for name in SCORES)
    topic = _topics(items["text"], topic_of_text, n_topics)
    values = signed_topics(of_prompt, topic, relevance, supports, opposes, len(names), n_topics, keep)
    table = pd.DataFrame(values, columns=[f"value_topic_{j}" for j in range(n_topics)])
    table.insert(0, "prompt", names)
    if "simulated" in items.columns:
        table["simulated"] = bool(items["simulated"].any())
    return table


def signed_topics(
    prompt: Ints,
    topic: Ints,
    relevance: Array,
    supports: Array,
    opposes: Array,
    n_prompts: int,
    n_topics: int,
    keep: int,
) -> Array:
    """The features as arrays.

    Parameters
    ----------
    prompt
        Place of each item's prompt, from 0, shape (m,).
    topic
        Its topic, -1 for none, shape (m,).
    relevance, supports, opposes
        Its scores, shape (m,).
    n_prompts, n_topics, keep
        How many prompts, topics, and valenced topics to keep of each prompt.

    Returns
    -------
    Array
        Shape (n_prompts, n_topics).
    """
    used = np.flatnonzero(topic >= 0)
    # By prompt, then by falling relevance; lexsort is stable, so that ties stay in the order of the rows.
    used = used[np.lexsort((-relevance[used], prompt[used]))]
    supportive = supports[used] >= opposes[used]
    valenced = topic[used] + np.where(supportive, 0, n_topics)
    cell = prompt[used] * (2 * n_topics) + valenced
    # unique() finds the first place of every prompt's valenced topic; sorted, they are in order of relevance again.
    first = np.sort(np.unique(cell, return_index=True)[1])
    of = prompt[used][first]
    rank = np.arange(len(first)) - np.searchsorted(of, of)
    kept = first[rank < keep]
    scores = np.zeros(n_prompts * 2 * n_topics)
    scores[cell[kept]] = np.where(supportive, supports[used], opposes[used])[kept]
    halves = scores.reshape(n_prompts, 2, n_topics)
    return np.asarray(halves[:, 0] - halves[:, 1])


def _prompts(of_items: pd.Series, given: Sequence[Hashable] | None) -> tuple[pd.Series, Ints]:
    """Prompts that get a row, and the place among them of each item's."""
    import pandas as pd

    if of_items.isna().any():
        row = int(np.flatnonzero(of_items.isna())[0])
        raise TopicError(f"row {row + 1} of the table of items names no prompt; say which it belongs to.")
    if given is None:
        codes, found = factorise(of_items)
        return pd.Series(found, dtype=of_items.dtype), codes.astype(np.int64)
    names = list(given)
    place = {name: i for i, name in enumerate(names)}
    if len(place) < len(names):
        twice = next(name for i, name in enumerate(names) if place[name] != i)
        raise TopicError(f"prompts holds {shown(twice)} twice; name each once.")
    where = of_items.map(place)
    lost = of_items[where.isna()].tolist()
    if lost:
        raise TopicError(f"prompt {shown(lost[0])} has items but is not in prompts; name it, or leave its items out.")
    whole = all(isinstance(name, int | np.integer) for name in names)
    # As objects, unless whole numbers: pandas 3's own text cannot hold half a surrogate pair.
    return pd.Series(names, dtype=np.int64 if whole else object), np.asarray(where, dtype=np.int64)


def _probabilities(column: pd.Series) -> Array:
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(bad):
        raise TopicError(
            f"row {bad[0] + 1} of the table of items has {column.name} {shown(column.tolist()[bad[0]])}, which is no "
            "number from 0 to 1."
        )
    return values


def _topics(texts: pd.Series, topic_of_text: Mapping[str, int], n_topics: int) -> Ints:
    """Topic of each item's text, each distinct text looked up once."""
    missing = np.flatnonzero(texts.isna())
    if len(missing):
        raise TopicError(f"row {missing[0] + 1} of the table of items has no text; leave it out.")
    # By Python's hash: to that of pandas all texts with half a surrogate pair are one.
    place: dict[str, int] = {}
    codes = [place.setdefault(text, len(place)) for text in texts.tolist()]
    found = np.empty(len(place), dtype=np.int64)
    for i, text in enumerate(place):
        topic = topic_of_text.get(text)
        if topic is None:
            raise TopicError(f"text {shown(text)} has no topic; assign topics to all texts of the table first.")
        if isinstance(topic, bool) or not isinstance(topic, int | np.integer) or not -1 <= topic < n_topics:
            raise TopicError(f"text {shown(text)} has topic {topic!r}; topics are from -1 (none) to {n_topics - 1}.")
        found[i] = topic
    return found[codes]
