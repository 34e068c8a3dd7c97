"""The reproduction ledger: every published figure has a row, and a verdict only what was compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pluristats as ps
from pluristats.analysis.ledger import SEARCH, SIMULATED, Ours, judge
from pluristats.analysis.published import NULL_BIC, PUBLISHED, RUNG_BICS, RUNG_DELTAS, Figure
from pluristats.lasso import LassoRule
from pluristats.study import Study

NUMBER = Figure("k", "claim", "0.273", "number", 0.273, unit=0.001)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.273, "exact"),
        (0.2725, "exact"),
        (0.27349999, "exact"),
        (0.27249, "close"),
        (0.273 * 1.0499, "close"),
        (0.273 * 0.9501, "close"),
        (0.273 * 1.051, "not reproduced"),
        (-0.273, "not reproduced"),
        (float("nan"), "not reproduced"),
        (float("inf"), "not reproduced"),
    ],
)
def test_verdict_on_a_number(value: float, verdict: str) -> None:
    assert judge(NUMBER, Ours(value, "")) == verdict


def test_a_search_counts_only_where_the_rule_itself_misses() -> None:
    rung = Figure("rung", "", "", "number", -2389, unit=1)
    assert judge(rung, Ours(-2389.4, "", search="found")) == "exact"
    assert judge(rung, Ours(-2300.0, "", search="found")) == "close"
    assert judge(rung, Ours(-2000.0, "", search="found")) == SEARCH
    assert judge(rung, Ours(-2000.0, "")) == "not reproduced"
    assert judge(rung, Ours(float("nan"), "", search="found")) == SEARCH


@pytest.mark.parametrize("kind", ["sign", "claim"])
def test_verdict_on_a_direction(kind: str) -> None:
    negative = Figure("k", "", "", kind, -1)  # type: ignore[arg-type]
    assert judge(negative, Ours(-1e-9, "")) == "exact"
    for value in (0.0, 3.0, float("nan")):
        assert judge(negative, Ours(value, "")) == "not reproduced"
    assert judge(negative, None) == judge(NUMBER, None) == "not tried"


def test_close_means_what_the_figure_says() -> None:
    about = replace(NUMBER, value=0.034, near=0.2)
    assert judge(about, Ours(0.034 * 1.19, "")) == "close"
    assert judge(about, Ours(0.034 * 1.21, "")) == "not reproduced"


def test_published_figures_are_those_of_the_paper() -> None:
    figures = {figure.key: figure for figure in PUBLISHED}
    assert len(figures) == len(PUBLISHED)
    assert [figures[f"rung_{m}"].value for m in "123456"] == [-1338, -526, -2389, -1107, -891, -496]
    assert list(RUNG_BICS.values()) == (NULL_BIC + np.cumsum(list(RUNG_DELTAS.values()))).tolist()
    assert figures["rq1_r2"].value == 0.273
    assert figures["rq2_r2"].value == 0.0232
    assert figures["spearman_p"].value == 2.2e-15
    assert sum(key.startswith("rq1_sign_") for key in figures) == 4
    assert sum(key.startswith("rq2_sign_") for key in figures) == 5
    assert sum(key.startswith("rq3_") for key in figures) == 3
    assert sum(key.startswith("mae_") for key in figures) == 16
    assert figures["mae_personalised_GPT-4.5 k-shot"].value == 0.195
    assert {"ratings", "variance_levels", "entropy_levels", "best_step"} <= set(figures)


@pytest.mark.release
@pytest.mark.slow
def test_ledger_of_the_release(release: Study) -> None:
    table = ps.reproduction_ledger(release).table.set_index("key")
    assert table.index.tolist() == [figure.key for figure in PUBLISHED]
    verdict = table["verdict"].to_dict()
    exact = ["ratings", "spearman", "spearman_p", "variance_levels", "entropy_levels", "null_bic", "rq1_r2", "rq2_r2"]
    exact += [key for key in table.index if "_sign_" in key] + ["best_step"]
    assert {key: verdict[key] for key in exact} == dict.fromkeys(exact, "exact")
    assert {verdict[key] for key in table.index if key.startswith("rq3_")} <= {"exact", "close"}
    assert verdict["rung_1"] == "close"
    # Nobody has reproduced these; the third only by a search, which says how lucky such a search is.
    assert [verdict[f"rung_{m}"] for m in "2456"] == ["not reproduced"] * 4
    assert verdict["rung_3"] == SEARCH
    assert "finds BIC 37,543.3 at λ = 0.005046 (52 columns)" in table["choices"]["rung_3"]
    assert "by luck" in table["choices"]["rung_3"]
    assert {verdict[key] for key in table.index if key.startswith("mae_")} == {"not tried"}
    assert table["ours"]["ratings"] == 14_725
    assert table["ours"]["null_bic"] == pytest.approx(41_796.337, abs=5e-4)
    assert table["ours"]["spearman_p"] == pytest.approx(2.17e-15, rel=0.01)
    assert table["difference"]["null_bic"] == pytest.approx(0.337, abs=5e-4)
    rungs = table.loc[[f"rung_{m}" for m in "123456"]]
    assert rungs["nobs"].tolist() == [14_285, 14_285, 14_725, 14_285, 14_285, 14_285]
    assert rungs["common_rows"].notna().all()
    # The first rung's gain is for the most part the rows, not the traits.
    assert rungs["common_rows"]["rung_1"] > -300 > -1_300 > rungs["ours"]["rung_1"]


@pytest.mark.slow
def test_a_simulated_study_never_agrees_nor_disagrees(embedded: Study) -> None:
    ledger = ps.reproduction_ledger(embedded, rule=LassoRule(penalty=0.05))
    assert ledger.simulated
    assert set(ledger.table["verdict"]) == {SIMULATED, "not tried"}
    tried = ledger.table["ours"].notna()
    assert (ledger.table.loc[tried, "verdict"] == SIMULATED).all()
    assert ledger.counts()["not tried"] == 16
    assert len(ledger.table) == len(PUBLISHED)
    changed = ledger.tidy()
    changed["verdict"] = "exact"
    assert "exact" not in set(ledger.table["verdict"])


@pytest.fixture(scope="module")
def smaller(simulated: Study) -> Study:
    """As if real, without harm levels and without the columns that the paper's claims are about."""
    features = {"actions": ("action_Deception", "action_Violence_Extremism"), "effects": ("effect_Physical",)}
    prompts = simulated.prompts.assign(harm_level=np.nan)
    codings = tuple(c for c in simulated.codings if c.column in ("Age", "Education", "Factor_1"))
    source = replace(simulated.source, simulated=False)
    return replace(simulated, features=features, prompts_=prompts, codings=codings, source=source, truth=None)


@pytest.mark.slow
def test_what_a_study_lacks_is_not_tried(smaller: Study) -> None:
    table = ps.reproduction_ledger(smaller, rule=LassoRule(penalty=0.05)).table.set_index("key")
    missing = ["spearman", "spearman_p", "variance_levels", "entropy_levels", "rq1_sign_action_Child_Harm"]
    missing += ["rq2_sign_Gender", "rq3_Race_Ethnicity"]
    assert table["verdict"][missing].tolist() == ["not tried"] * len(missing)
    assert table["ours"][missing].isna().all()
    tried = ["ratings", "null_bic", "rq1_r2", "rq2_r2", "rq2_sign_Education", "rung_6"]
    assert not set(table["verdict"][tried]) & {"not tried", SIMULATED}


def test_ladders_by_another_rule_are_refused(simulated: Study) -> None:
    rule = LassoRule(penalty=0.05)
    own = ps.bic_ladder(simulated, rule=rule)
    with pytest.raises(ValueError, match="the common-rows ladder by the ledger's own rule: Lasso at the given penalty"):
        ps.reproduction_ledger(simulated, rule=rule, ladders={"published": own})
    with pytest.raises(ValueError, match="the published ladder by the ledger's own rule: Lasso with the penalty of"):
        ps.reproduction_ledger(simulated, ladders={"published": own, "common-rows": own})
