"""Cross-validated R²: against loops over folds, closed forms, and features that only seem to predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import DroppedRowsWarning, FitError, FormulaError, SelectionWarning, UnsupportedError
from pluristats.lasso.folds import assign_folds, fold_units


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """12 people rate 24 prompts, of two variants a seed."""
    rng = np.random.default_rng(3)
    person, prompt = np.divmod(np.arange(288), 24)
    a, b = rng.normal(size=(12, 2)), rng.normal(size=(24, 3))
    y = 0.5 * a[person, 0] + 0.8 * b[prompt, 0] - 0.5 * b[prompt, 1]
    y += 0.5 * rng.normal(size=12)[person] + 0.4 * rng.normal(size=24)[prompt] + rng.normal(size=288)
    frame = pd.DataFrame({"y": y, "annotator": person, "prompt": prompt, "seed": prompt // 2})
    frame[["t0", "t1"]], frame[["f0", "f1", "f2"]] = a[person], b[prompt]
    return frame


def folds_of(frame: pd.DataFrame, by: str, n_folds: int, seed: int) -> np.ndarray:
    return assign_folds(fold_units(frame, by), n_folds, seed)


def by_hand(frame: pd.DataFrame, folds: np.ndarray, predict: object) -> tuple[float, np.ndarray]:
    """1 - Σ(y - ŷ)² / Σ(y - ȳ)² over folds, with ``predict(train, test)``."""
    errors, totals = [], []
    for k in np.unique(folds):
        train, test = frame[folds != k], frame[folds == k]
        errors.append(((test["y"] - predict(train, test)) ** 2).sum())  # type: ignore[operator]
        totals.append(((test["y"] - train["y"].mean()) ** 2).sum())
    return 1 - np.sum(errors) / np.sum(totals), 1 - np.array(errors) / np.array(totals)


def test_the_mean_explains_nothing(table: pd.DataFrame) -> None:
    found = ps.cross_validated_r2("y ~ 1", table, by="prompts", n_folds=4)
    assert found.estimate == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(found.by_fold, 0.0, atol=1e-12)


def test_a_response_without_noise_is_explained_wholly(table: pd.DataFrame) -> None:
    exact = table.assign(y=3 + 2 * table["f0"] - table["f1"] + 1e-4 * table["y"])
    assert ps.cross_validated_r2("y ~ f0 + f1 + (1|annotator)", exact, n_folds=5).estimate > 1 - 1e-6


@pytest.mark.parametrize("by", ["prompts", "annotators", "rows", "prompt"])
def test_least_squares_equals_a_loop(by: str, table: pd.DataFrame) -> None:
    def predict(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
        columns = ["f0", "f1", "f2", "t0"]
        beta = np.linalg.lstsq(np.column_stack([np.ones(len(train)), train[columns]]), train["y"], rcond=None)[0]
        return np.column_stack([np.ones(len(test)), test[columns]]) @ beta

    found = ps.cross_validated_r2("y ~ f0 + f1 + f2 + t0", table, by=by, n_folds=6, seed=2)
    estimate, by_fold = by_hand(table, folds_of(table, by, 6, 2), predict)
    assert found.estimate == pytest.approx(estimate, rel=1e-9)
    np.testing.assert_allclose(found.by_fold, by_fold, rtol=1e-8)
    assert found.n_selected.tolist() == [4] * 6
    assert (found.by, found.selection, found.seed, found.shrunken) == (by, "all columns", 2, False)


def test_mixed_models_equal_a_loop_of_lmer(table: pd.DataFrame) -> None:
    def predict(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
        fit = ps.lmer("y ~ f0 + f1 + f2 + (1|annotator) + (1|prompt)", train, reml=False)
        return fit.predict(test, new_levels="population", random=False)

    found = ps.cross_validated_r2("y ~ f0 + f1 + f2 + (1|annotator) + (1|prompt)", table, n_folds=4, seed=1)
    estimate, by_fold = by_hand(table, folds_of(table, "prompts", 4, 1), predict)
    assert found.estimate == pytest.approx(estimate, rel=1e-8)
    np.testing.assert_allclose(found.by_fold, by_fold, rtol=1e-7)


@pytest.mark.parametrize("shrunken", [False, True])
def test_selection_is_repeated_in_every_fold(shrunken: bool, table: pd.DataFrame) -> None:
    rule, counts = ps.LassoRule(penalty=0.15), []

    def predict(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
        with pytest.warns(SelectionWarning):
            found = ps.lasso_select("y ~ f0 + f1 + f2 + t0 + t1 + (1|annotator)", train, rule, reml=False)
        assert found.refit is not None
        counts.append(len(found.selected))
        if not shrunken:
            return found.refit.predict(test, new_levels="population", random=False)
        coefficients = found.chosen.path.coefficients[:, found.chosen.position]
        return found.chosen.path.intercepts[found.chosen.position] + test[list(found.candidates)] @ coefficients

    formula = "y ~ f0 + f1 + f2 + t0 + t1 + (1|annotator)"
    found = ps.cross_validated_r2(formula, table, rule=rule, shrunken=shrunken, n_folds=4)
    estimate, _ = by_hand(table, folds_of(table, "prompts", 4, 0), predict)
    assert found.estimate == pytest.approx(estimate, rel=1e-8)
    assert found.n_selected.tolist() == counts
    assert 0 < min(counts) < 5
    assert found.selection == rule.describe()


def test_features_of_seeds_explain_nothing_of_new_seeds_though_much_in_sample() -> None:
    """Noise that is constant within seeds: 25 columns on 40 seeds. Folds by rows, or by variants, would leak."""
    rng = np.random.default_rng(5)
    seed_ = np.repeat(np.arange(40), 20)
    frame = pd.DataFrame({"seed": seed_, "prompt": np.arange(800) // 10, "y": rng.normal(size=40)[seed_]})
    frame["y"] += rng.normal(size=800)
    noise = rng.normal(size=(40, 25))[seed_]
    names = [f"n{j}" for j in range(25)]
    frame[names] = noise
    formula = f"y ~ {' + '.join(names)}"
    in_sample = (
        1
        - np.linalg.lstsq(np.column_stack([np.ones(800), noise]), frame["y"], rcond=None)[1][0]
        / ((frame["y"] - frame["y"].mean()) ** 2).sum()
    )
    assert in_sample > 0.25
    assert ps.cross_validated_r2(formula, frame, by="rows").estimate > 0.2
    whole = ps.cross_validated_r2(formula, frame, by="prompts").estimate
    assert whole < -0.05
    assert ps.cross_validated_r2(formula, frame, by="prompt").estimate > whole + 0.2
    shrunken = ps.cross_validated_r2(
        formula, frame, by="prompts", rule=ps.LassoRule(penalty="cv", folds="prompts"), shrunken=True
    )
    assert -0.05 < shrunken.estimate < 0.05


def test_a_selection_that_peeked_would_look_good() -> None:
    """Columns chosen on all rows and only refitted in folds; repeating the selection tells the truth."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(60, 300)), columns=[f"n{j}" for j in range(300)])
    frame["y"] = rng.normal(size=60)
    rule = ps.LassoRule(penalty=0.25)
    formula = f"y ~ {' + '.join(f'n{j}' for j in range(300))}"
    with pytest.warns(SelectionWarning):
        peeked = ps.lasso_select(formula, frame, rule).selected
    assert ps.cross_validated_r2(f"y ~ {' + '.join(peeked)}", frame, by="rows").estimate > 0.3
    assert ps.cross_validated_r2(formula, frame, by="rows", rule=rule).estimate < 0.05


def test_order_of_rows_changes_nothing(table: pd.DataFrame) -> None:
    formula, rule = "y ~ f0 + f1 + f2 + t0 + (1|annotator)", ps.LassoRule(penalty="cv", folds="prompts", n_folds=4)
    shuffled = table.iloc[np.random.default_rng(0).permutation(len(table))]
    one, other = (ps.cross_validated_r2(formula, t, rule=rule, n_folds=4) for t in (table, shuffled))
    assert one.estimate == pytest.approx(other.estimate, rel=1e-9)
    assert one.estimate != ps.cross_validated_r2(formula, table, rule=rule, n_folds=4, seed=1).estimate


def test_missing_rows_are_counted(table: pd.DataFrame) -> None:
    holes = table.assign(f0=table["f0"].where(table["prompt"] != 5))
    with pytest.warns(DroppedRowsWarning, match=r"^12 of 288 rows are left out .* \(f0: 12\)"):
        ps.cross_validated_r2("y ~ f0", holes, n_folds=4)


def test_what_cannot_be_validated_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(UnsupportedError, match="random intercepts only"):
        ps.cross_validated_r2("y ~ f0 + (1 + f0|annotator)", table)
    with pytest.raises(UnsupportedError, match="takes the intercept away"):
        ps.cross_validated_r2("y ~ 0 + f0", table, rule=ps.LassoRule())
    with pytest.raises(ValueError, match="needs a rule"):
        ps.cross_validated_r2("y ~ f0", table, shrunken=True)
    with pytest.raises(FitError, match="13 folds need as many units to keep whole, and these rows have 12"):
        ps.cross_validated_r2("y ~ f0", table, by="annotators", n_folds=13)
    with pytest.raises(FormulaError, match="'country'"):
        ps.cross_validated_r2("y ~ f0", table, by="country")
