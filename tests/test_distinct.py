"""Labels that UTF-8 cannot write are told apart (or refused) wherever rows are put together by their labels."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pluristats import features, plot, values
from pluristats.analysis.disagreement.unsure import _rates
from pluristats.distinct import factorise, group_codes, half_pair
from pluristats.engine.bars import _codes
from pluristats.errors import FormulaError
from pluristats.evaluation.methods.inner import Kind, _by_prompt
from pluristats.evaluation.protocol import _own, _whole_seeds
from pluristats.extract.pool import _tree_table
from pluristats.features import Action, Effect, Stakeholder, Tree, load_profile, tree_features
from pluristats.formula import build_design
from pluristats.generate.checks import check_variants
from pluristats.lasso.folds import fold_units
from pluristats.latent.simulators import MODELS
from pluristats.latent.tables import behaviour_of
from pluristats.models.resample import clusters_of
from pluristats.select.pool import measure
from pluristats.select.target import Axis, Target
from pluristats.topics import topic_features
from pluristats.values.thresholds import Thresholds
from tests.features.builders import ACTION_LABELS, HARM_LABELS

# Three labels, one of which comes twice; what repr writes of the first is a label, too.
LABELS = ["\ud800", "\ud801", "'\\ud800'", "\ud800", "x\udfff"]
CODES, SORTED = [0, 1, 2, 0, 3], [2, 3, 0, 2, 1]
ANY = st.text(st.characters(exclude_categories=()), max_size=3)


def column(labels: list[Any] = LABELS) -> pd.Series:
    return pd.Series(labels, dtype=object)


def test_pandas_still_takes_them_for_one():
    """Otherwise this module is no longer needed."""
    assert pd.factorize(column())[0].tolist() != CODES


@given(st.lists(ANY | st.none() | st.just(float("nan")) | st.integers(0, 3), max_size=12), st.booleans())
@example(LABELS, True)
def test_codes_are_those_of_a_dictionary(labels, sort):
    codes, found = factorise(column(labels), sort=sort)
    known = [label for label in labels if label is not None and label == label]
    assert [found[code] if code >= 0 else None for code in codes] == [
        label if label is not None and label == label else None for label in labels
    ]
    assert len(found) == len(set(known)) == len(set(found))
    if sort:
        numbers = sorted(label for label in set(known) if not isinstance(label, str))
        assert found == [*numbers, *sorted(label for label in set(known) if isinstance(label, str))]
    else:
        assert found == list(dict.fromkeys(known))


@given(st.lists(st.sampled_from(["b", "a", "é", None]) | st.integers(-2, 2), max_size=10), st.booleans())
@example([1.5, float("nan"), 1.5], True)
def test_as_pandas_for_what_pandas_can(labels, sort):
    for values_ in (column(labels), pd.Series(pd.Categorical(column(labels)))):
        codes, found = factorise(values_, sort=sort)
        expected, uniques = pd.factorize(values_, sort=sort)
        assert codes.tolist() == expected.tolist() and found == uniques.tolist()


def test_numbers_and_arrays():
    codes, found = factorise(np.array([3, 1, 3]))
    assert (codes.tolist(), found) == ([0, 1, 0], [3, 1])
    assert factorise(np.array([], dtype=object))[1] == []
    assert group_codes(column(["a", "a", "b", None, None]), np.array([1, 2, 1, 1, 1])).tolist() == [0, 1, 2, 3, 3]
    assert [half_pair(label) for label in ("\udc00", "é\U0001f600", "a", 3, None)] == [True, *[False] * 4]


def test_folds():
    assert fold_units(pd.DataFrame({"prompt": column()}), "prompts").tolist() == SORTED


def test_seeds_in_evaluation():
    kept = _whole_seeds(column().to_numpy(), 3, np.random.default_rng(0))
    seeds = np.array(LABELS, dtype=object)
    assert not set(seeds[kept]) & set(np.delete(seeds, kept))

    class Seeds:
        seeds = column().to_numpy()

    # Four seeds in four folds, each in one of its own.
    folds = _by_prompt(Seeds(), Kind("new seeds"), 4, np.random.default_rng(0))  # type: ignore[arg-type]
    assert len(set(folds)) == 4 and folds[0] == folds[3]


def test_annotators_in_evaluation():
    own = _own(pd.DataFrame({"annotator": column(), "prompt": range(5)}), 1.0, np.random.default_rng(0))
    assert list(own.items()) == list(zip(dict.fromkeys(LABELS), [(0, 3), (1,), (2,), (4,)], strict=True))


def test_seeds_and_categories_of_a_pool():
    frame = pd.DataFrame({"seed": column(), "kind": column()})
    pool = measure(frame, Target("t", (Axis("kind", column="kind"),)))
    assert pool.seed.tolist() == CODES
    assert pool.axes[0].categories == tuple(sorted(set(LABELS)))
    assert pool.axes[0].mass.toarray().sum(axis=0).tolist() == [1, 1, 2, 1]


def test_agents():
    table = pd.DataFrame({"agent": column(), "trial": [0, 0, 0, 1, 0], "action": 1, "reward": 1})
    assert behaviour_of(table, MODELS["rl4"]).agents == tuple(dict.fromkeys(LABELS))


def test_prompts_of_items():
    items = pd.DataFrame({"prompt": column(), "vrd": "Value", "text": column(list("abcde")), "relevance": 0.9})
    items = items.assign(supports=0.5, opposes=0.25, either=0.25)
    table = values.overall_valence(items)
    assert table["prompt"].tolist() == list(dict.fromkeys(LABELS)) and table["items"].tolist() == [2, 1, 1, 1]
    pytest.importorskip("rouge_score", reason="needs rouge-score: pip install 'pluristats[kaleido]'")
    kept = values.filter_items(items.assign(text="same"), Thresholds(0.0, 0.5)).items
    assert kept["prompt"].tolist() == list(dict.fromkeys(LABELS))
    topics = topic_features(items, dict.fromkeys("abcde", 0), n_topics=1)
    assert topics["prompt"].tolist() == list(dict.fromkeys(LABELS))


def tree(*names: str, id: str = "") -> Tree:
    effect = Effect(HARM_LABELS[0], "high", "major", True)
    return Tree(tuple(Stakeholder(name, (Action(ACTION_LABELS[0], (effect,)),)) for name in names), id=id)


def test_stakeholders_and_actions_of_a_tree():
    profile = load_profile("neutral")
    for by in ("stakeholder", "branch"):
        table = features.explain(tree(*LABELS), profile, by=by)
        assert sorted(table["stakeholder"]) == sorted(set(LABELS))
        assert dict(zip(table["stakeholder"], table["leaves"], strict=True))["\ud800"] == 2


def test_stakeholders_of_a_drawn_tree():
    table = features.explain(tree(*LABELS), load_profile("neutral"))
    assert plot.describe_harm_tree(table).startswith("Tree of 4 stakeholders, 4 actions and 5 effects")
    ax = plot.harm_tree(table)
    assert {r"\ud800", r"\ud801", r"x\udfff"} <= {text.get_text() for text in ax.texts}
    plt.close(ax.figure)


def test_units_of_trees():
    trees = [tree("a", id=str(i)) for i in range(5)]
    table = tree_features(trees, by=LABELS)
    assert table["tree"].tolist() == list(dict.fromkeys(LABELS))

    class Extracted:
        def features(self) -> pd.DataFrame:
            return pd.DataFrame({"unit": column(LABELS[:2]), "simulated": True})

        def trees(self) -> list[Tree]:
            return [tree("a", id="\ud800"), tree("a", "b", id="\ud801")]

    scored = _tree_table(Extracted(), load_profile("neutral"), {})  # type: ignore[arg-type]
    assert scored["harmfulness"].tolist() == [1.0, 2.0]


def test_variants():
    table = pd.DataFrame({"seed": column(), "level": 0.1, "text": column(), "status": "ok", "reason": ""})
    table = table.assign(seed_text=column(), simulated=False, finish_reason="stop")
    flags = check_variants(table.assign(seed=range(5))).flags
    assert flags["duplicate_elsewhere"].tolist() == [True, False, False, True, False]
    assert check_variants(table).flags["similarity"].notna().tolist() == [True, False, False, True, False]


def test_clusters_and_random_intercepts():
    class Fit:
        index = pd.RangeIndex(5)

    codes, labels = clusters_of(Fit(), column())  # type: ignore[arg-type]
    assert codes.tolist() == CODES and labels == tuple(dict.fromkeys(LABELS))
    assert _codes(column())[0].tolist() == SORTED


def test_annotators_who_are_unsure():
    table = _rates(column(), np.array([True, False, False, False, True]), "annotator", 0.95)
    assert table["annotator"].tolist() == list(dict.fromkeys(LABELS)) and table["asked"].tolist() == [2, 1, 1, 1]


def test_a_formula_refuses_them():
    frame = pd.DataFrame({"y": np.arange(5.0), "g": column()})
    with pytest.raises(FormulaError, match="holds half a surrogate pair and is no text"):
        build_design("y ~ 1 + (1|g)", frame, {})
