from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pluristats.errors import RunError
from pluristats.report.parameters import assign, check_declaration, declared
from pluristats.report.stages import Stage

LADDER = Stage(
    "ladder",
    "L",
    "l.ipynb",
    parameters={"penalty": 0.5, "folds": 10, "strict": False, "spec": "published", "levels": [1], "limit": None},
)
OTHER = Stage("other", "O", "o.ipynb", parameters={"penalty": 0.1})


def book(source: str, times: int = 1):
    return new_notebook(cells=[new_code_cell(source, metadata={"tags": ["parameters"]}) for _ in range(times)])


def test_defaults_and_values_for_all_or_one_stage():
    assert assign([LADDER, OTHER], {})["ladder"] == dict(LADDER.parameters)
    values = assign([LADDER, OTHER], {"other.penalty": 0.3, "penalty": 0.2})
    assert (values["ladder"]["penalty"], values["other"]["penalty"]) == (0.2, 0.3)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("penalty", "0.01", 0.01),
        ("penalty", "1", 1.0),
        ("folds", "5", 5),
        ("strict", "true", True),
        ("spec", "01", "01"),
        ("spec", "true", "true"),
        ("levels", "[1, 2]", [1, 2]),
        ("limit", "3", 3),
    ],
)
def test_text_is_read_as_the_type_of_the_default(name, text, value):
    read = assign([LADDER], {name: text})["ladder"][name]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("penalty", "much", "'penalty' of stage 'ladder' takes a number, not 'much'"),
        ("penalty", True, "takes a number, not True"),
        ("folds", 2.5, "takes a whole number, not 2.5"),
        ("folds", True, "takes a whole number, not True"),
        ("strict", 1, "takes true or false, not 1"),
        ("spec", 3, "takes text, not 3"),
        ("levels", "[", r"takes a list, not '\['"),
        ("unknown", 1, "no stage of this run has a parameter 'unknown'; known are ladder.penalty"),
        ("other.spec", 1, "no stage of this run has a parameter 'other.spec'"),
        ("seed", 1, "'seed' is given by --seed, not as a parameter"),
        ("ladder.data", "x", "'data' is given by --data"),
    ],
)
def test_wrong_parameters_are_refused_by_name(name, value, message):
    with pytest.raises(RunError, match=message):
        assign([LADDER, OTHER], {name: value})


def test_declared_reads_constants_with_equals_signs_and_annotations():
    source = '"""Settings."""\ndata: str = ""  # folder\nformula = "y ~ x == 1"\nlevels = [\n 1,\n -2.5]\n'
    assert declared(book(source), LADDER) == {"data": "", "formula": "y ~ x == 1", "levels": [1, -2.5]}


@pytest.mark.parametrize("source", ["x = f()", "import os", "x =", "x", "x: int"])
def test_anything_but_constants_is_refused(source):
    with pytest.raises(RunError, match=r"parameters cell of notebook l\.ipynb must hold plain assignments"):
        declared(book(source), LADDER)


@pytest.mark.parametrize("times", [0, 2])
def test_there_is_one_parameters_cell(times):
    with pytest.raises(RunError, match=f"has {times} cells tagged 'parameters', it must have one"):
        declared(book("x = 1", times), LADDER)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('data = ""\nseed = 0\nout = ""\n', "does not declare the parameter 'penalty' of its registry entry"),
        ('data = ""\nseed = 0\npenalty = 0.1', "does not declare the parameter 'out', which every run sets"),
        ('data = ""\nseed = 0\nout = ""\npenalty = 0.2', "has the default 0.2 there and 0.1 in the registry"),
        ('data = ""\nseed = 0\nout = ""\npenalty = 0.1\nfolds = 3', "declares the parameter 'folds', which"),
    ],
)
def test_notebook_and_registry_must_agree(source, message):
    with pytest.raises(RunError, match=message):
        check_declaration(book(source), OTHER)
