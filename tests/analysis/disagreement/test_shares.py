from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pluristats.analysis.disagreement import generalisability, variance_shares
from pluristats.errors import SingularFitWarning

REFERENCE = Path(__file__).parents[2] / "reference" / "values" / "release.json"


def anova(ratings: np.ndarray) -> dict[str, float]:
    """Expected-mean-square estimates of a complete crossed table, equal to REML where none is negative."""
    rows, columns = ratings.shape
    grand = ratings.mean()
    by_row, by_column = ratings.mean(axis=1), ratings.mean(axis=0)
    residual = ((ratings - by_row[:, None] - by_column + grand) ** 2).sum() / ((rows - 1) * (columns - 1))
    return {
        "annotator": float(by_row.var(ddof=1) - residual / columns),
        "prompt": float(by_column.var(ddof=1) - residual / rows),
        "residual": float(residual),
    }


def table_with_structure(rows: int = 12, columns: int = 15) -> np.ndarray:
    rng = np.random.default_rng(11)
    effects = rng.normal(0, 8, rows)[:, None] + rng.normal(0, 20, columns) + rng.normal(0, 10, (rows, columns))
    return np.clip(50 + effects, 0, 100)


def test_a_complete_table_gives_the_anova_estimates(make):
    ratings = table_with_structure()
    expected = anova(ratings)
    found = variance_shares(make(ratings))
    variances = found.table.set_index("source")["variance"]
    assert variances.to_dict() == pytest.approx(expected, rel=1e-5)
    total = sum(expected.values())
    shares = found.table.set_index("source")["share"].to_dict()
    assert shares == pytest.approx({k: v / total for k, v in expected.items()}, rel=1e-5)
    assert found.nobs == 180 and not found.singular
    # In a complete table the relative coefficient of the means is 1 - 1/F (Cronbach's alpha).
    means = found.reliability.query("ratings > 1").set_index("mean_of")
    assert means["ratings"].tolist() == pytest.approx([12, 15])
    prompt_ms = 12 * ratings.mean(axis=0).var(ddof=1)
    assert means.loc["prompt", "relative"] == pytest.approx(1 - expected["residual"] / prompt_ms, rel=1e-5)


def test_coefficients_by_hand():
    g = generalisability(signal=4.0, raters=1.0, residual=10.0, n=5)
    assert g.relative == pytest.approx(4 / 6)
    assert g.absolute == pytest.approx(4 / 6.2)
    assert generalisability(0.0, 1.0, 1.0, 3).relative == 0
    assert np.isnan(generalisability(0.0, 0.0, 0.0, 3).absolute)
    with pytest.raises(ValueError, match="n must be positive"):
        generalisability(1.0, 1.0, 1.0, 0)
    with pytest.raises(ValueError, match="variances not negative"):
        generalisability(1.0, -1.0, 1.0, 2)


def test_spearman_brown_links_one_rating_to_many():
    one, many = (generalisability(3.0, 0.0, 7.0, n).relative for n in (1, 20))
    assert many == pytest.approx(20 * one / (1 + 19 * one))


def test_numbers_of_ratings_are_harmonic_means(make):
    ratings = table_with_structure(4, 6)
    ratings[0, :3] = np.nan
    counts = variance_shares(make(ratings)).reliability.set_index("mean_of")["ratings"]
    assert counts["prompt"].tolist() == pytest.approx([1, 6 / (3 / 3 + 3 / 4)])
    assert counts["annotator"].tolist() == pytest.approx([1, 4 / (1 / 3 + 3 / 6)])


def test_shares_do_not_depend_on_units(make):
    ratings = table_with_structure()
    study = make(ratings)
    other = replace(make(ratings * 0.01 - 0.2), scale=(-0.2, 0.8))
    first, second = variance_shares(study), variance_shares(other)
    np.testing.assert_allclose(second.table["share"], first.table["share"], rtol=1e-5)
    np.testing.assert_allclose(second.table["variance"], first.table["variance"] / 10_000, rtol=1e-5)
    np.testing.assert_allclose(second.reliability["absolute"], first.reliability["absolute"], rtol=1e-5)


def test_annotators_who_do_not_differ_have_no_share(make):
    ratings = np.array([[10.0, 30, 70, 90], [30, 10, 90, 70], [20, 20, 80, 80]])
    with pytest.warns(SingularFitWarning):
        found = variance_shares(make(ratings))
    assert found.singular
    assert found.table.set_index("source").loc["annotator", "share"] == pytest.approx(0, abs=1e-6)
    assert (found.reliability.set_index("mean_of").loc["annotator", "relative"] < 1e-5).all()


@pytest.mark.release
def test_release_shares_are_lme4s(release):
    """lme4's REML components of z-scored ratings (tests/reference); shares do not depend on the unit."""
    components = json.loads(REFERENCE.read_text())["cases"]["null_crossed_reml"]["varcorr"]
    total = sum(components.values())
    found = variance_shares(release)
    shares = found.table.set_index("source")["share"]
    assert shares["annotator"] == pytest.approx(components["annotator"] / total, rel=1e-4)
    assert shares["prompt"] == pytest.approx(components["prompt"] / total, rel=1e-4)
    assert shares["residual"] == pytest.approx(components["Residual"] / total, rel=1e-4)
    assert found.nobs == 14_725
    assert found.reliability["relative"].between(0, 1).all()
