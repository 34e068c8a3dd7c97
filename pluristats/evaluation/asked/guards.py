"""Safety models as raters: WildGuard's yes or no, and SafetyAnalyst's trees with weights fitted to ratings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.asked.base import Answering, Asking, Asks, for_everybody, forecast, means
from pluristats.evaluation.asked.read import read_wildguard
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.features import Leaves, Profile, Tree, fit_profile, fit_profiles, flatten, harmfulness, probability
from pluristats.llm import Completed
from pluristats.texts import load_template

By = Literal["everybody", "group", "annotator"]


@dataclass(frozen=True)
class WildGuard(Asks):
    """WildGuard's judgement of the request, by its own template at ``/completions`` (aggregate).

    Parameters
    ----------
    asking
        A server of ``allenai/wildguard``.
    probability
        The probability of "yes", from log-probabilities; else 1 for yes and 0 for no.
    template
        Name in ``generation/``, or a ``.txt`` file, with ``{text}``.
    """

    asking: Asking
    probability: bool = True
    template: str = "wildguard"
    note: str = "aggregate"

    @property
    def name(self) -> str:
        """In tables."""
        return f"wildguard-{'probability' if self.probability else 'class'}"

    def fit(self, alignment: Alignment) -> Answering:
        """Nothing is learned."""
        n, template = len(alignment.annotators), load_template(self.template, ("text",))

        def read(answer: Completed) -> float:
            guard = read_wildguard(answer.text, answer.logprobs)
            return float(guard.harmful) if guard.probability is None else guard.probability

        def of(prompts: Prompts) -> Forecast:
            settings = self.asking.settings(top_logprobs=20 if self.probability else None)
            requests = (template.request(self.asking.model, {"text": text}, **settings) for text in prompts.texts)
            run = self.asking.run(requests, read_wildguard, self.name)
            return for_everybody(forecast(run, read, (1, len(prompts))), n)

        return Answering(of)


@dataclass(frozen=True)
class SafetyAnalyst(Asks):
    """Harm-benefit trees scored by weights that are fitted to the alignment ratings.

    σ(H) of each test prompt's tree, where H is the harmfulness model (`pluristats.features`) with weights fitted to
    everybody's ratings, to each group's or annotator's (shrunken toward everybody's), or taken from a profile.

    Parameters
    ----------
    trees
        By prompt label. Prompts of one seed may share a tree.
    by
        ``everybody`` (aggregate), ``group`` or ``annotator`` (personalised).
    groups
        By annotator label, where ``by`` is ``group``.
    profile
        Weights that are not fitted; then ``by`` does not matter.
    loss, shrink, seed
        Of `fit_profiles`; the absolute loss is what the table is judged by.
    name
        In tables.
    """

    trees: Mapping[Hashable, Tree] = field(repr=False)
    by: By = "everybody"
    groups: Mapping[Hashable, str] | None = None
    profile: Profile | None = None
    loss: Literal["logistic", "squared", "absolute"] = "absolute"
    shrink: float = 10.0
    seed: int = 0
    name: str = "safetyanalyst"

    @property
    def note(self) -> str:
        """Whose weights, and whether the trees are made up."""
        of = {"everybody": "aggregate", "group": "weights by group", "annotator": "personalised"}
        whose = "weights not fitted" if self.profile is not None else of[self.by]
        simulated = any(tree.simulated for tree in self.trees.values())
        return whose + (", SIMULATED trees" if simulated else "")

    def fit(self, alignment: Alignment) -> Answering:
        """Fit the weights."""
        n = len(alignment.annotators)
        profiles = [self.profile] if self.profile is not None else self._fitted(alignment)

        def of(prompts: Prompts) -> Forecast:
            leaves = self._leaves(prompts)
            rows = np.stack([_probability(leaves, profile) for profile in profiles])
            return Forecast(rows) if len(rows) == n else for_everybody(Forecast(rows), n)

        return Answering(of)

    def _fitted(self, alignment: Alignment) -> list[Profile]:
        leaves = self._leaves(alignment.prompts)
        ids = list(leaves.ids)
        if self.by == "everybody":
            average = means(alignment)
            there = np.flatnonzero(~np.isnan(average))
            trees = [ids[j] for j in there]
            return [fit_profile(leaves, average[there], tree=trees, loss=self.loss, seed=self.seed).profile]
        names = self._names(alignment)
        who, what = np.nonzero(alignment.seen)
        fits = fit_profiles(
            leaves,
            alignment.ratings[who, what],
            [names[i] for i in who],
            tree=[ids[j] for j in what],
            loss=self.loss,
            shrink=self.shrink,
            seed=self.seed,
        )
        # Who has no rating is scored by everybody's weights.
        return [fits.groups[name].profile if name in fits.groups else fits.overall.profile for name in names]

    def _names(self, alignment: Alignment) -> list[str]:
        """What each annotator's weights are called."""
        labels = alignment.annotators.labels
        if self.by == "annotator":
            return [str(i) for i in range(len(labels))]
        missing = [label for label in labels if label not in (self.groups or {})]
        if missing or self.groups is None:
            raise EvaluationError(f"annotator {(missing or labels)[0]!r} is in no group; give groups of all annotators")
        return [str(self.groups[label]) for label in labels]

    def _leaves(self, prompts: Prompts) -> Leaves:
        missing = [label for label in prompts.labels if label not in self.trees]
        if missing:
            raise EvaluationError(f"prompt {missing[0]!r} has no tree; extract trees of all prompts first")
        return flatten([replace(self.trees[label], id=str(i)) for i, label in enumerate(prompts.labels)])


def _probability(leaves: Leaves, profile: Profile) -> Array:
    return np.asarray(probability(harmfulness(leaves, profile), profile.sides))
