"""What a reader is told, and how the table is laid out."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import pluristats as ps
from pluristats.display.text import one_line, printable
from pluristats.errors import FitError, PluristatsWarning
from tests.display.reading import Table, of_latex, of_markdown
from tests.display.test_text import hostile


def terms(table: ps.ETable) -> list[str]:
    return [row.label for row in table.grid.parts[0].rows]


def fit_labels(table: ps.ETable) -> list[str]:
    return [row.label for row in table.grid.parts[-1].rows]


def said(table: ps.ETable, *words: str) -> list[str]:
    return [note for note in table.notes if all(word in note for word in words)]


# --- notes ------------------------------------------------------------------------------------------------------


def test_models_of_the_same_rows_need_no_warning(small, large):
    table = ps.etable([small, large])
    assert table.notes == ("Standard errors in parentheses.", "An empty cell: not in this model.")
    assert "BIC" in fit_labels(table)
    assert table.grid.caption == ""


def test_different_rows_are_said_and_marked(small, large, on_fewer_rows):
    table = ps.etable([small, on_fewer_rows, large])
    (note,) = said(table, "Different rows")
    assert note.startswith("† ")
    assert "(1), (3); (2)." in note
    assert {"AIC †", "BIC †", "Log-likelihood †"} <= set(fit_labels(table))
    assert said(table, "(2): 12 of 120 rows left out")


def test_the_same_number_of_other_rows_is_different(table, small):
    other = ps.lmer("y ~ x + (1|person) + (1|item)", table.assign(y=table["y"] + table["z"]), reml=False)
    assert said(ps.etable([small, other]), "† Different rows, outcomes or weights")


def test_no_mark_where_no_likelihood_is_shown(small, on_fewer_rows):
    table = ps.etable([small, on_fewer_rows], statistics=["nobs"])
    assert not said(table, "†")
    assert fit_labels(table) == ["Rows"]


def test_restricted_likelihoods(table, small):
    reml = ps.lmer("y ~ x + age + (1|person) + (1|item)", table)
    fewer = ps.lmer("y ~ x + (1|person) + (1|item)", table)
    slope = ps.lmer("y ~ x + age + (1|person)", table)
    assert said(ps.etable([small, reml]), "† Restricted (REML) and full (ML)")
    assert said(ps.etable([fewer, reml]), "† Restricted likelihoods (REML) of models with different coefficients")
    assert not said(ps.etable([slope, reml]), "†")
    # log|X'X| is in the criterion: other units move it, another order does not.
    hundredth = ps.lmer("y ~ x + age + (1|person) + (1|item)", table.assign(age=table["age"] * 100))
    assert hundredth.loglik == pytest.approx(reml.loglik - np.log(100))
    assert said(ps.etable([hundredth, reml]), "† Restricted likelihoods (REML)", "other units")
    turned = ps.lmer("y ~ age + x + (1|person) + (1|item)", table)
    assert turned.loglik == pytest.approx(reml.loglik)
    assert not said(ps.etable([turned, reml]), "†")


def test_densities_of_different_things(gaussian, bounded):
    table = ps.etable([gaussian, bounded])
    assert said(table, "† Likelihoods of different kinds (Gaussian, ordered beta)")
    assert said(table, "(2): coefficients and standard deviations are on the logit scale")
    assert not said(table, "Different rows")
    both = ps.etable([bounded, bounded])
    assert not said(both, "†")


def test_unknown_rows(simulated, least_squares):
    with_people = ps.lmer("rating ~ Age + (1|annotator)", simulated, reml=False)
    alone = ps.lmer("rating ~ (1|annotator)", simulated, reml=False)
    assert said(ps.etable([with_people, alone, least_squares]), "† Whether the rows of (3) are those of the other")


def test_singular_fits(small, singular):
    table = ps.etable([small, singular], statistics=["nobs"])
    assert said(table, "(2): the fit is singular")
    assert not said(ps.etable(small), "singular")


def test_selection_before_inference(question, gaussian, penalised):
    warned = "the same rows selected these terms"
    assert said(ps.etable([gaussian, question, penalised]), f"(2), (3): {warned}")
    # Also where somebody passes only the refit.
    for refit in (question.fit, question.crossed, penalised.refit):
        assert said(ps.etable(refit), "The same rows selected these terms")
    assert not said(ps.etable(gaussian), warned)
    assert said(ps.etable([gaussian, question]), f"(2): {question.caveats[0]}")


def test_simulated_data_stand_first_in_every_format(small, gaussian):
    table = ps.etable([gaussian, small], caption="Two models")
    assert table.notes[0] == "SIMULATED DATA in (1): these numbers say nothing about people."
    assert table.grid.caption == "SIMULATED DATA. Two models"
    whole = ps.etable(gaussian)
    assert whole.notes[0] == "SIMULATED DATA: these numbers say nothing about people."
    for text in (whole.html(), whole.markdown(), whole.latex(), whole.typst(), whole.text(), repr(whole)):
        assert text.count("SIMULATED DATA") == 2
    assert "SIMULATED" not in ps.etable(small).html()


def test_coefficients_that_are_not_shown_are_counted(large):
    assert said(ps.etable(large, keep="x"), "4 of 5 coefficients are estimated and not shown")
    assert said(ps.etable(large, drop="z"), "1 of 5 coefficients is estimated and not shown")


def test_dropped_columns(table):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        fit = ps.lmer("y ~ x + twice + (1|person)", table.assign(twice=2 * table["x"]), reml=False)
    assert said(ps.etable(fit), "Left out as linear combinations of other columns: twice")


def test_where_p_values_come_from(gaussian, bounded):
    table = ps.etable([gaussian, bounded], stars=True, adjust="bh")
    assert said(table, "p-values by", "Satterthwaite's degrees of freedom in (1)", "the normal distribution in (2)")
    assert said(table, "adjusted (Benjamini and Hochberg)", "shown or not")
    assert not said(ps.etable([gaussian, bounded]), "p-values by")


# --- which terms, and what they are called ----------------------------------------------------------------------


def test_terms_stand_in_the_order_of_first_appearance(small, large):
    assert terms(ps.etable([small, large], labels=False)) == list(dict.fromkeys([*small.terms, *large.terms]))


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"keep": "x"}, {"x"}),  # the term, not what contains it
        ({"keep": "^x"}, {"x", "x:age"}),
        ({"keep": ["Intercept", "z"]}, {"(Intercept)", "z"}),
        ({"drop": "(Intercept)"}, {"x", "age", "z", "x:age"}),
        ({"keep": ":|^z$", "drop": "z"}, {"x:age"}),
        ({"drop": "X × Age"}, {"(Intercept)", "x", "age", "z"}),
    ],
)
def test_keep_and_drop(large, choice, wanted):
    frame = ps.etable(large, **choice).frame().loc["fixed"]
    assert set(frame.index.get_level_values("term")) == wanted


def test_order_puts_first(large):
    found = terms(ps.etable(large, order=["z", ":"], labels=False))
    assert found[:2] == ["z", "x:age"]
    assert sorted(found) == sorted(large.terms)


def test_labels(small, simulated, gaussian):
    assert terms(ps.etable(small, labels={"x": "Shift", "age": "Years"})) == ["Intercept", "Shift", "Years"]
    assert terms(ps.etable(gaussian, labels=simulated)) == ["Intercept", "Age"]
    # Two terms that would read alike show what they are.
    assert terms(ps.etable(small, labels={"x": "Age"})) == ["Intercept", "Age (x)", "Age (age)"]


def test_names_and_headers(small, large, question):
    table = ps.etable({"base": small, "full": large}, headers=["Linear", "Linear"])
    assert table.grid.columns == (("(1)", "base"), ("(2)", "full"))
    assert table.grid.above == (("Linear", 2),)
    assert list(table.frame().columns) == ["base", "full"]
    assert ps.etable([small, question], names=["a", ""]).grid.columns == (("(1)", "a"), ("(2)", "RQ1"))
    heads = Table(table.html()).rows[:2]
    assert [(cell.text, cell.attributes.get("scope")) for row in heads for cell in row if cell.tag == "th"] == [
        ("Linear", "colgroup"),
        ("(1)\nbase", "col"),
        ("(2)\nfull", "col"),
    ]


def test_it_shows_itself_in_notebooks(small):
    table = ps.etable(small)
    assert table._repr_html_() == table.html()
    assert table._repr_markdown_() == table.markdown()
    assert repr(table) == table.text()
    assert len(Table(table.html()).rows) == 1 + 3 + 1 + 3 + 1 + len(fit_labels(table)) + 1


# --- untrusted text ---------------------------------------------------------------------------------------------


class Model:
    """What has tidy() and glance(), by somebody else."""

    def __init__(self, term: str):
        self.term = term

    def tidy(self) -> pd.DataFrame:
        return pd.DataFrame({"term": pd.Series([self.term], dtype=object), "estimate": [1.25], "std_error": [0.5]})

    def glance(self) -> pd.DataFrame:
        return pd.DataFrame({"nobs": [10], "note": pd.Series([self.term], dtype=object)})


@given(hostile, hostile, hostile)
@settings(max_examples=60, deadline=None)
def test_hostile_text_in_every_field(term, name, note):
    table = ps.etable({name: Model(term)}, labels=False, caption=note, note=note, statistics=["note"], headers=[name])
    html = Table(table.html())
    assert set(html.elements) <= {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "br"}
    assert (html.caption or "") == printable(note.strip())
    assert [cell.text for cell in html.rows[2 if name else 1]] == [printable(term), "1.250\n(0.500)"] or not name
    markdown = of_markdown(table.markdown())
    assert set(markdown.elements) <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert [[cell.text for cell in row] for row in markdown.rows[1:]] == [
        [one_line(term), "1.250"],
        ["", "(0.500)"],
        ["Fit", ""],
        ["note", one_line(term)],
    ]
    rows = [line for line in table.latex().splitlines() if line.endswith(r" & 1.250 \\")]
    assert [of_latex(row.removesuffix(r" & 1.250 \\")) for row in rows] == [one_line(term)]
    assert all(line.count("\n") == 0 and line.isprintable() is not None for line in table.text().splitlines())


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"keep": "nope"}, "keep='nope' means no term of these models; they have \\(Intercept\\), x, age"),
        ({"drop": "(["}, "drop='\\(\\[' is neither a term nor a regular expression"),
        ({"statistics": ["r3"]}, "no model has the statistic 'r3'; they have outcome"),
        ({"names": ["a", "b"]}, "names has 2 for 1 models"),
        ({"headers": "ab"}, "headers is one text for each of the 1 models"),
        ({"digits": -1}, "digits is a whole number from 0 to 15"),
        ({"below": "se"}, "below is one of std_error"),
        ({"stars": [0.01, 0.05]}, "stars are thresholds between 0 and 1, the largest first"),
        ({"stars": [1.5]}, "stars are thresholds"),
        ({"adjust": "bonf"}, "adjust is 'holm', 'bh' or None"),
        ({"conf_level": 95}, "conf_level is a share"),
    ],
)
def test_bad_settings(small, choice, message):
    with pytest.raises(ValueError, match=message):
        ps.etable(small, **choice)


def test_what_is_no_model(small, bounded, simulated):
    with pytest.raises(FitError, match="int is no fitted model: it has no tidy"):
        ps.etable([small, 3])
    with pytest.raises(FitError, match="tidy\\(\\) of Ladder is no table with columns term and estimate"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PluristatsWarning)
            ladder = ps.bic_ladder(simulated, "common-rows")
        ps.etable(ladder)
    with pytest.raises(FitError, match="takes no conf_level"):
        ps.etable(Model("x"), conf_level=0.9)
    with pytest.raises(ValueError, match="at least one fit"):
        ps.etable([])
    with pytest.raises(ValueError, match="two models are called 'a'"):
        ps.etable([small, bounded], names=["a", "a"])
