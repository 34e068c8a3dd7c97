"""Names of topics: from their keywords, or given by people or models, whose texts are not trusted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pluristats.errors import TopicError
from pluristats.topics.texts import shown

OUTLIERS = "no topic"
LONGEST = 100
"""Characters of a name; three to six words have fewer."""
FEWEST_WORDS, MOST_WORDS = 3, 6


def keyword_name(keywords: Sequence[str]) -> str:
    """A name from keywords, best first: those that share no word with an earlier one, up to six words.

    Fewer than three words where the keywords have no more; "" without keywords.
    """
    chosen: list[str] = []
    words: set[str] = set()
    for keyword in keywords:
        own = keyword.split()
        if words.isdisjoint(own) and len(words) + len(set(own)) <= MOST_WORDS:
            chosen.append(keyword)
            words.update(own)
        if len(words) >= FEWEST_WORDS and len(chosen) >= 2:
            break
    return ", ".join(chosen)[:LONGEST]


def clean_name(name: object) -> str:
    """A given name as one line: control characters and runs of white space as one space, lone surrogates as U+FFFD.

    Markup and formulas stay what they are, as text; whoever shows a name escapes it.

    Raises
    ------
    TopicError
        It is not text, nothing is left of it, or it has more than 100 characters.
    """
    if not isinstance(name, str):
        raise TopicError(f"a name of a topic is text, not {shown(name)}.")
    if len(name) > 10 * LONGEST:
        raise TopicError(f"the name {shown(name)} has {len(name):,} characters; give it three to six words.")
    seen = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in name)
    line = re.sub("[\ud800-\udfff]", "\ufffd", " ".join(seen.split()))
    if not line:
        raise TopicError(f"the name {shown(name)} has nothing to read; give it three to six words.")
    if len(line) > LONGEST:
        raise TopicError(f"the name {shown(line)} has {len(line)} characters; give it three to six words.")
    return line


def unusual(name: str) -> bool:
    """Whether a name has fewer than three or more than six words."""
    return not FEWEST_WORDS <= len(name.split()) <= MOST_WORDS
