from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import EvaluationError
from pluristats.evaluation.moderation.labels import key, read_labels, read_scores


def column(*values: object, name: str = "x") -> pd.Series:
    return pd.Series(list(values), dtype=object, name=name)


def test_the_same_value_is_the_same_key() -> None:
    assert key(1) == key(1.0) == key("1") == key(" 1.0 ") == key(np.int64(1)) == "1"
    assert key(True) == key("True") == "True" and key(np.bool_(False)) == "False"
    assert key(None) == key(float("nan")) == key(pd.NA) == key("  ") == ""
    assert key("harmful ") == "harmful" and key("nan") == "nan" and key(0.25) == key("0.25")


def test_labels_are_read_or_refused() -> None:
    known, label = read_labels(column(1, "0", None, True, "false"), ())
    assert known.tolist() == [True, True, False, True, True]
    assert label[known].tolist() == [1, 0, 1, 0] and np.isnan(label[2])
    known, label = read_labels(column("S1", "safe", "S2", ""), ("S1", "S2"))
    assert label[known].tolist() == [1, 0, 1]
    with pytest.raises(EvaluationError, match="row 3, column 'x': 'unsafe' is not 0 or 1; say which"):
        read_labels(column(0, "unsafe"), (), first=2)
    with pytest.raises(EvaluationError, match="no row of column 'x' has the label 'toxic'; its labels are 'a', 'b'"):
        read_labels(column("a", "b"), ("toxic",))
    with pytest.raises(EvaluationError, match="column 'x' has no label"):
        read_labels(column(None, ""), ())


def test_scores_are_numbers_or_known_classes() -> None:
    assert read_scores(column("0.5", 2, None, "-3e1"), (), ()).tolist()[:2] == [0.5, 2.0]
    found = read_scores(column("yes", "no", "", "1", "unharmful"), ("yes",), ("no", "unharmful"))
    assert found[[0, 1, 3, 4]].tolist() == [1, 0, 1, 0] and np.isnan(found[2])
    with pytest.raises(EvaluationError, match="row 2, column 'x': 'maybe' is no number and no class that is known"):
        read_scores(column("yes", "no", "maybe"), ("yes",), ("no",))
    with pytest.raises(EvaluationError, match="'nan' is no number"):
        read_scores(column("0.1", "nan"), (), ())
    with pytest.raises(EvaluationError, match="row 1, column 'x': a score is a finite number"):
        read_scores(column(0.5, "inf"), (), ())


def test_hostile_cells_are_shown_escaped_and_cut() -> None:
    with pytest.raises(EvaluationError) as told:
        read_scores(column("0.1", "\x1b[2J" + "a" * 5000), (), ())
    assert "\x1b" not in str(told.value) and len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("harmful", "harmless"), [(0, 1), (False, True), ("false", "true"), ("FALSE", "1"), ("0", "no"), (1, 0), (True, 0)]
)
def test_what_is_given_as_positive_is_harmful_though_it_looks_like_no(harmful: object, harmless: object) -> None:
    truth = [1, 0, 0, 1, 0]
    cells = column(*(harmful if t else harmless for t in truth))
    assert read_labels(cells, (harmful,))[1].tolist() == truth
    assert read_scores(cells, (harmful,), (harmless,)).tolist() == truth
