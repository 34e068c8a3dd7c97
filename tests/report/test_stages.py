from __future__ import annotations

import pytest

from pluristats.errors import RunError
from pluristats.report.parameters import check_declaration
from pluristats.report.runner import read_notebook
from pluristats.report.stages import STAGES, Stage, notebook_path, plan

A = Stage("a", "A", "a.ipynb", outputs=("tables/x.csv",))
B = Stage("b", "B", "b.ipynb", inputs=("a/tables/x.csv", "a/tables/y.csv"))
C = Stage("c", "C", "c.ipynb")
D = Stage("d", "D", "d.ipynb", inputs=("b/z.csv",))


def names(stages) -> list[str]:
    return [stage.name for stage in stages]


def test_plan_adds_what_a_stage_needs_and_keeps_the_order():
    registry = (A, B, C, D)
    assert names(plan(registry)) == ["a", "b", "c", "d"]
    assert names(plan(registry, ["d"])) == ["a", "b", "d"]
    assert names(plan(registry, ["c", " a"])) == ["a", "c"]
    assert B.needs == ("a",)


@pytest.mark.parametrize(
    ("registry", "picked", "message"),
    [
        ((A, B), ["x"], "there is no stage 'x'; the stages are a, b"),
        ((A, B), [], "no stage was picked; the stages are a, b"),
        ((B, A), None, "'b' reads files of 'a', which is not registered before it"),
        ((A, A), None, "'a' is registered twice"),
        ((Stage("e", "E", "e.ipynb", parameters={"seed": 1}),), None, "'e' declares 'seed', which every run gives"),
    ],
)
def test_a_bad_plan_is_refused(registry, picked, message):
    with pytest.raises(RunError, match=message):
        plan(registry, picked)


def test_a_notebook_that_is_nowhere_is_named():
    with pytest.raises(RunError, match=r"notebook a\.ipynb of stage 'a' is not there"):
        notebook_path(A)


def test_the_registry_can_be_planned():
    assert names(plan(STAGES))[:3] == ["study", "regressions", "ladder"]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_registered_notebook_declares_what_the_registry_says_and_holds_no_output(stage):
    notebook = read_notebook(notebook_path(stage))
    check_declaration(notebook, stage)
    assert [cell for cell in notebook.cells if cell.get("outputs")] == []
