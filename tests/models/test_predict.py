"""Predictions: the rows of the fit, new rows, and an explicit policy for what the fit has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import DroppedRowsWarning, FitError, FormulaError
from pluristats.models import LmerFit


def test_the_rows_of_the_fit(fit: LmerFit, mixed: LmerFit, table: pd.DataFrame) -> None:
    for made in (fit, mixed):
        np.testing.assert_allclose(made.predict(), made.fitted)
        np.testing.assert_allclose(made.predict(table), made.fitted, rtol=1e-10)
        np.testing.assert_allclose(made.predict(table, random=False), made.augment().fixed, rtol=1e-10)
        np.testing.assert_allclose(made.predict(random=False), made.augment().fixed)
        some = table.sample(7, random_state=1)
        np.testing.assert_allclose(made.predict(some), made.augment().fitted[some.index], rtol=1e-10)


def test_no_rows(fit: LmerFit, table: pd.DataFrame) -> None:
    assert fit.predict(table.iloc[:0]).shape == (0,)


def test_new_rows_by_hand(fit: LmerFit) -> None:
    new = pd.DataFrame({"x": [2.0], "age": [-1.0], "hard": [0.5], "person": ["P3"], "item": [4]})
    effects = fit.ranef().set_index(["group", "level"]).estimate
    fixed = fit.fixef @ [1, 2.0, -1.0, 0.5]
    assert fit.predict(new) == pytest.approx(fixed + effects["person", "P3"] + effects["item", 4])
    assert fit.predict(new.drop(columns=["person", "item"]), random=False) == pytest.approx(fixed)


def test_unseen_and_missing_levels(fit: LmerFit, table: pd.DataFrame) -> None:
    new = table.iloc[[0, 1, 2, 3]].astype({"item": object})
    new["person"] = ["P0", "stranger", None, "P0"]
    new.iloc[3, new.columns.get_loc("item")] = 99
    with pytest.raises(FitError, match=r"Row 101 has level 'stranger' of 'person'.*new_levels='population'"):
        fit.predict(new)
    nan = fit.predict(new, new_levels="nan")
    assert np.isnan(nan).tolist() == [False, True, True, True]
    known = fit.augment()
    effects = fit.ranef().set_index(["group", "level"]).estimate
    population = fit.predict(new, new_levels="population")
    assert population[0] == nan[0] == pytest.approx(known.fitted.iloc[0])
    for i in (1, 2):  # the item is known
        assert population[i] == pytest.approx(known.fixed.iloc[i] + effects["item", table.item.iloc[i]])
    assert population[3] == pytest.approx(known.fixed.iloc[3] + effects["person", "P0"])


def test_a_text_level_is_not_the_number(fit: LmerFit, table: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match=r"'item' has the level '0' \(str\) in the new data and 0 \(int"):
        fit.predict(table.assign(item=table.item.astype(str)).iloc[:1])


def test_levels_of_an_interaction(mixed: LmerFit, table: pd.DataFrame) -> None:
    new = table.iloc[[0, 1]].assign(item=[0, 77])
    with pytest.raises(FitError, match=r"Row 101 has level 'P0:77' of 'person:item'"):
        mixed.predict(new)
    effects = mixed.ranef().set_index(["group", "level"]).estimate
    person = mixed.predict(new, random=False) + effects["person", "P0"]
    population = mixed.predict(new, new_levels="population")
    assert population[1] == pytest.approx(person[1])
    assert population[0] == pytest.approx(person[0] + effects["person:item", "P0:0"])


def test_an_interaction_of_numbers_survives_a_gap(mixed: LmerFit, table: pd.DataFrame) -> None:
    """A missing item makes the column 0.0, 1.0, …; the others must still be known."""
    new = table.iloc[:5].assign(item=table.item.iloc[:5].astype(float))
    new.iloc[4, new.columns.get_loc("item")] = np.nan
    got = mixed.predict(new, new_levels="nan")
    np.testing.assert_allclose(got[:4], mixed.fitted[:4], rtol=1e-10)
    assert np.isnan(got[4])


@pytest.mark.parametrize("column", ["x", "mood", "hard"])
def test_missing_fixed_values_are_nan_and_counted(mixed: LmerFit, table: pd.DataFrame, column: str) -> None:
    new = table.iloc[:5].copy()
    new.loc[[101, 103], column] = None
    with pytest.warns(DroppedRowsWarning, match="2 of 5 rows miss a fixed value; their prediction is NaN"):
        got = mixed.predict(new)
    assert np.isnan(got).tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(got[[0, 2, 4]], mixed.fitted[[0, 2, 4]], rtol=1e-10)


def test_categories_and_transforms_are_those_of_the_fit(table: pd.DataFrame) -> None:
    made = ps.lmer("y ~ mood + scale(x) + (1|person)", table)
    one = table[table.mood == "sad"].iloc[:1]
    assert made.predict(one) == pytest.approx(made.augment().fitted[one.index].to_numpy(), rel=1e-10)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mood": "glad"}, FitError, "Row 100 has 'glad' in column 'mood', a category that the fit has not seen"),
        ({"x": "1.5"}, FormulaError, "'x' was a number in the fit and is (object|str)"),
        ({"x": np.inf}, FitError, "is inf in row 100"),
        ({"hard": -20.0}, FitError, r"'log\(hard \+ 9\)' is nan in row 100"),
        ({"mood": None}, FormulaError, "'mood', which is not in the new data"),
        ({"person": None}, FormulaError, r"lack the grouping column 'person'; add it, or predict\(random=False\)"),
    ],
)
def test_rows_that_cannot_be_predicted_are_named(
    mixed: LmerFit, table: pd.DataFrame, change: dict[str, object], error: type[Exception], message: str
) -> None:
    ((name, value),) = change.items()
    new = table.iloc[:3]
    before = mixed.predict(new)
    with pytest.raises(error, match=message):
        mixed.predict(new.drop(columns=name) if value is None else new.assign(**{name: value}))
    np.testing.assert_array_equal(mixed.predict(new), before)  # formulaic's specification has not learnt from it


def test_arguments_are_checked(fit: LmerFit, table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="'error', 'population' or 'nan', not 'mean'"):
        fit.predict(table, new_levels="mean")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pandas DataFrame, not dict"):
        fit.predict({"x": [1.0]})  # type: ignore[arg-type]


def test_dropped_columns_are_not_needed_twice(table: pd.DataFrame) -> None:
    with pytest.warns(ps.errors.RankDeficientWarning):
        made = ps.lmer("y ~ x + twice + (1|person)", table.assign(twice=2 * table.x))
    np.testing.assert_allclose(made.predict(table.assign(twice=0.0)), made.fitted, rtol=1e-10)


@pytest.mark.parametrize(
    ("fitted", "given"), [(int, str), (str, int), (str, float), (float, str), ("Int64", "string"), ("category", str)]
)
@pytest.mark.parametrize("new_levels", ["error", "population", "nan"])
def test_a_level_of_another_type_is_no_new_level(fitted: object, given: object, new_levels: str) -> None:
    """As a file reads numbers back as text: else every row would be predicted at the population's mean."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"g": rng.integers(0, 9, 90)})
    table["y"] = rng.normal(size=9)[table.g] + rng.normal(size=90)
    fit = ps.lmer("y ~ 1 + (1|g)", table.astype({"g": fitted}))
    with pytest.raises(FormulaError, match=r"'g' has the level .* in the new data and .* in the fit; convert"):
        fit.predict(table.assign(g=table.g.astype(given)), new_levels=new_levels)
    same = table.assign(g=table.g.astype(fitted))
    strange = pd.concat([same.iloc[:3], same.iloc[:1].assign(g=99 if fitted in (int, "Int64") else "99")])
    if fitted in (int, str):
        got = fit.predict(strange, new_levels="population")
        np.testing.assert_allclose(got, [*fit.fitted[:3], fit.fixef.iloc[0]])
