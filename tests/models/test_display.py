"""Summaries: the numbers of the tables, all of them, and nothing that a browser would run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.models import LmerFit
from pluristats.models.display import p_text

HOSTILE = "<script>alert('x')</script> & \"quoted\" " + "long " * 12


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.cells.append(data.strip())


def test_text(fit: LmerFit) -> None:
    text = fit.summary()
    kind = "REML" if fit.reml else "maximum likelihood"
    assert text.startswith(f"Linear mixed model fit by {kind}\nFormula: {fit.formula}\n")
    assert re.findall(r"^(Random effects|Fixed effects|Remarks)$", text, re.M) == ["Random effects", "Fixed effects"]
    assert f"Rows: {fit.nobs}; groups: person 10, item 8" in text
    for value in (f"{fit.aic:.1f}", f"{fit.bic:.1f}", f"{fit.bic_hybrid:.1f}", f"{fit.loglik:.4f}"):
        assert value in text
    for row in fit.tidy().itertuples():
        assert re.search(rf"{re.escape(row.term)} +{row.estimate:.5f} +{row.std_error:.5f} +{row.statistic:.3f}", text)
    for row in fit.varcorr().itertuples():
        assert re.search(rf"{row.grp} .*{row.vcov:.5f} +{row.sdcor:.4f}", text)


def test_repr_is_one_line(fit: LmerFit) -> None:
    assert repr(fit).startswith(f"LmerFit({fit.formula!r}, {'REML' if fit.reml else 'ML'}, nobs={fit.nobs}, loglik=")
    assert "\n" not in repr(fit)


def test_html_has_the_cells_of_the_tables(fit: LmerFit) -> None:
    page = Tags()
    page.feed(fit._repr_html_())
    assert page.tags.count("table") == page.tags.count("caption") == 3
    for row in fit.tidy().itertuples():
        assert row.term in page.cells and f"{row.estimate:.5f}" in page.cells


@pytest.fixture
def hostile(table: pd.DataFrame) -> LmerFit:
    frame = table.rename(columns={"x": HOSTILE, "person": "<b>", "y": "<i>"}).assign(zero=0.0)
    with pytest.warns(ps.errors.RankDeficientWarning):
        return ps.lmer(
            f"`<i>` ~ `{HOSTILE}` + zero + (1|`<b>`)", frame.rename(columns={"zero": "<u>"}).assign(zero=0.0)
        )


def test_hostile_names_are_text(hostile: LmerFit) -> None:
    html = hostile._repr_html_()
    page = Tags()
    page.feed(html)
    assert set(page.tags) == {"section", "h4", "p", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert HOSTILE.strip() in page.cells  # whole, although long
    assert HOSTILE in hostile.summary()


def test_no_row_of_a_long_table_is_left_out(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    more = pd.DataFrame(rng.normal(size=(len(table), 70)), columns=[f"v{j}" for j in range(70)], index=table.index)
    fit = ps.lmer(f"y ~ {' + '.join(more)} + (1|person)", table.join(more))
    for shown in (fit.summary(), fit._repr_html_()):
        assert all(re.search(rf"\bv{j}\b", shown.split("Fixed effects")[1]) for j in range(70))
        assert "..." not in shown


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"), (0.05, "0.050"), (1.0, "1.000"), (np.nan, "NaN")],
)
def test_p_values(p: float, text: str) -> None:
    assert p_text(p) == text
