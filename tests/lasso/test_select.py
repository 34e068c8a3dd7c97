"""Selection and refit: the refit is an ordinary fit of the selected columns, and the caveat is everywhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import (
    DroppedRowsWarning,
    FitError,
    FormulaError,
    RankDeficientWarning,
    SelectionWarning,
    UnsupportedError,
)
from pluristats.lasso import LassoSelection
from pluristats.lasso.select import CAVEAT

GROUPS = {"xs": [f"x{j}" for j in range(8)]}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(15), 12)
    x = rng.normal(size=(180, 8))
    y = 2 * x[:, 1] - x[:, 5] + rng.normal(size=15)[person] + rng.normal(size=180)
    frame = pd.DataFrame(x, columns=GROUPS["xs"])
    return frame.assign(y=y, person=[f"p{i:02d}" for i in person])


def select(formula: str, data: object, **choices: object) -> LassoSelection:
    with pytest.warns(SelectionWarning, match="The same rows selected these terms"):
        return ps.lasso_select(formula, data, **choices)  # type: ignore[arg-type]


def test_refit_is_lmer_on_the_selected_columns(table: pd.DataFrame) -> None:
    found = select("y ~ xs + (1|person)", table, groups=GROUPS, penalty=0.1, reml=False)
    assert found.candidates == tuple(GROUPS["xs"])
    assert set(found.selected) >= {"x1", "x5"}
    assert len(found.selected) < 8
    direct = ps.lmer(f"y ~ {' + '.join(found.selected)} + (1|person)", table, reml=False)
    assert found.refit is not None
    assert found.refit.loglik == pytest.approx(direct.loglik, rel=1e-12)
    pd.testing.assert_series_equal(found.refit.fixef, direct.fixef, rtol=1e-9)
    tidy = found.tidy(conf_level=0.9)
    pd.testing.assert_frame_equal(tidy.drop(columns="lasso"), direct.tidy(conf_level=0.9), rtol=1e-7)
    assert np.abs(tidy["lasso"][1:]).to_numpy() == pytest.approx(
        np.abs(found.chosen.path.coefficients[found.chosen.support, found.chosen.position])
    )
    assert found.penalty == 0.1
    assert found.path()["chosen"].sum() == 1


def test_refit_predicts_new_rows_from_the_selected_columns(table: pd.DataFrame) -> None:
    found = select("y ~ xs + (1|person)", table, groups=GROUPS, penalty=0.1)
    assert found.refit is not None
    new = table.head(3)
    by_hand = (
        found.refit.fixef["(Intercept)"]
        + new[list(found.selected)].to_numpy() @ found.refit.fixef[list(found.selected)].to_numpy()
    )
    np.testing.assert_allclose(found.refit.predict(new, new_levels="population", random=False), by_hand)


def test_without_a_random_part_the_refit_is_least_squares_by_name(table: pd.DataFrame) -> None:
    import statsmodels.formula.api as smf

    found = select("y ~ xs", table, groups=GROUPS)
    direct = smf.ols(f"y ~ {' + '.join(found.selected)}", table).fit()
    tidy = found.tidy()
    assert tidy["term"].tolist() == ["(Intercept)", *found.selected]
    np.testing.assert_allclose(tidy["estimate"], direct.params, rtol=1e-10)
    np.testing.assert_allclose(tidy["std_error"], direct.bse, rtol=1e-10)
    np.testing.assert_allclose(tidy[["conf_low", "conf_high"]], direct.conf_int(), rtol=1e-10)
    assert found.ols.bic == pytest.approx(direct.bic)
    # Shrunken: of all coefficients with no larger ‖β‖₁ (of standardised columns) none fits better.
    spread = table[list(found.selected)].std().to_numpy()
    assert np.abs(tidy["lasso"][1:] * spread).sum() < np.abs(tidy["estimate"][1:] * spread).sum()
    assert "x1" in found.summary()
    assert found.refit is None


def test_rule_and_caveat_stand_above_every_summary(table: pd.DataFrame) -> None:
    for formula in ("y ~ xs + (1|person)", "y ~ xs"):
        found = select(formula, table, groups=GROUPS, penalty=0.1)
        first, kept, caveat = found.summary().splitlines()[:3]
        assert first == "Lasso at the given penalty λ = 0.1 on standardised columns."
        assert kept == f"{len(found.selected)} of 8 columns kept at λ = 0.1."
        assert caveat == CAVEAT
        assert f"<strong>{CAVEAT}</strong>" in found._repr_html_()


def test_a_selection_from_simulated_ratings_says_so() -> None:
    study = ps.simulate_study(n_annotators=15, n_prompts=20, seed=0)
    for formula in ("rating ~ actions", "rating ~ effects + (1|annotator)"):
        found = select(formula, study, penalty=0.05)
        assert found.summary().startswith("SIMULATED DATA")
        assert "SIMULATED DATA" in found._repr_html_()


def test_hostile_names_are_escaped(table: pd.DataFrame) -> None:
    nasty = table.rename(columns={"x1": "<script>alert(1)</script>"})
    for formula in ("y ~ `<script>alert(1)</script>` + x5", "y ~ `<script>alert(1)</script>` + x5 + (1|person)"):
        page = select(formula, nasty)._repr_html_()
        assert "&lt;script&gt;" in page
        assert "<script" not in page


def test_dropped_rows_are_told(table: pd.DataFrame) -> None:
    holes = table.assign(x0=table["x0"].where(table.index != 7))
    for formula in ("y ~ xs", "y ~ xs + (1|person)"):
        with pytest.warns(DroppedRowsWarning, match=r"^1 of 180 rows are left out .* missing \(x0: 1\)"):
            select(formula, holes, groups=GROUPS)


def test_rows_left_out_stand_in_the_result(table: pd.DataFrame) -> None:
    holes = table.assign(x0=table["x0"].where(table.index != 7))
    with pytest.warns(DroppedRowsWarning):
        found = select("y ~ xs", holes, groups=GROUPS)
    (note,) = found.notes
    assert note == "1 of 180 rows are left out because a value is missing (x0: 1)."
    assert note in found.summary() and note in found._repr_html_()
    assert any(note == said for said in ps.etable(found).notes)
    assert select("y ~ xs", table, groups=GROUPS).notes == ()


def test_of_dependent_columns_the_lasso_keeps_no_more_than_the_rank(table: pd.DataFrame) -> None:
    twin = table.assign(again=table["x1"] + table["x5"])
    for formula in ("y ~ xs + again", "y ~ xs + again + (1|person)"):
        found = select(formula, twin, groups=GROUPS, penalty=0.0)
        assert len(found.candidates) == 9
        assert len(found.selected) == 8


def test_dependent_columns_of_a_least_squares_refit_are_dropped_by_name(table: pd.DataFrame) -> None:
    from pluristats.formula import build_design
    from pluristats.lasso.select import _least_squares

    design = build_design("y ~ x1 + x5 + again", table.assign(again=table["x1"] - table["x5"]))
    ols, told = _least_squares(design)
    assert list(ols.params.index) == ["(Intercept)", "x1", "x5"]
    assert told == [(RankDeficientWarning, "Dropped as linear combinations of columns before them: again.")]


def test_nothing_kept_leaves_the_intercept(table: pd.DataFrame) -> None:
    for formula in ("y ~ xs", "y ~ xs + (1|person)"):
        found = select(formula, table, groups=GROUPS, penalty=99)
        assert found.selected == ()
        assert found.tidy()["term"].tolist() == ["(Intercept)"]
    assert found.refit is not None
    assert found.refit.r2().marginal == pytest.approx(0.0, abs=1e-12)


def test_what_cannot_be_selected_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="has no column to select from"):
        ps.lasso_select("y ~ 1 + (1|person)", table)
    with pytest.raises(UnsupportedError, match="takes the intercept away"):
        ps.lasso_select("y ~ 0 + x1 + (1|person)", table)
    with pytest.raises(FormulaError, match="nowhere"):
        ps.lasso_select("y ~ nowhere + (1|person)", table)
    with pytest.raises(ValueError, match=r"not both \(rule and penalty\)"):
        ps.lasso_select("y ~ x1 + x2", table, ps.LassoRule(), penalty="cv")
    with pytest.raises(FitError, match="20 folds need as many units to keep whole, and these rows have 15"):
        ps.lasso_select("y ~ x1 + x2 + (1|person)", table, penalty="cv", folds="person", n_folds=20)


def test_order_of_rows_and_names_of_levels_change_nothing(table: pd.DataFrame) -> None:
    order = np.random.default_rng(0).permutation(len(table))
    choices = {"groups": GROUPS, "penalty": "cv", "folds": "person", "n_folds": 5}
    found = select("y ~ xs + (1|person)", table, **choices)
    other = select("y ~ xs + (1|person)", table.iloc[order].assign(person=lambda d: "q" + d["person"]), **choices)
    assert other.selected == found.selected
    assert other.penalty == pytest.approx(found.penalty, rel=1e-12)
    np.testing.assert_allclose(other.chosen.cv_error, found.chosen.cv_error, rtol=1e-9)
    pd.testing.assert_frame_equal(other.tidy(), found.tidy(), rtol=1e-6)
