"""Parameters of stages: what a notebook declares, what a user gives, and whether the two fit."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from pluristats.errors import RunError
from pluristats.report.stages import RESERVED, Stage, Value

OPTIONS = {"data": "--data", "seed": "--seed", "out": "--out"}


def assign(stages: Sequence[Stage], given: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
    """Values of every stage's parameters: its defaults, overridden by what was given.

    Parameters
    ----------
    stages
        Stages of this run.
    given
        ``{"penalty": 0.01}`` sets it in every stage that has it; ``{"ladder.penalty": 0.01}`` in that stage only
        and wins over the plain name. A string is read as the type of the default ("0.01" for a number, "true" for
        a yes/no), so that values from a command line can be passed as they are.

    Returns
    -------
    dict
        Stage name to parameter values, without ``data``, ``seed``, ``out`` and ``inputs``.

    Raises
    ------
    RunError
        For a parameter that no stage of this run has, or a value of the wrong type.
    """
    values: dict[str, dict[str, Value]] = {stage.name: dict(stage.parameters) for stage in stages}
    for key in sorted(given, key=lambda name: "." in name):
        wanted, _, name = key.rpartition(".")
        if name in RESERVED:
            option = OPTIONS.get(name, "the stages' own files")
            raise RunError(f"parameter {name!r} is given by {option}, not as a parameter")
        having = [stage for stage in stages if name in stage.parameters and wanted in ("", stage.name)]
        if not having:
            raise RunError(f"no stage of this run has a parameter {key!r}; {_known(stages)}")
        for stage in having:
            values[stage.name][name] = _typed(stage, name, given[key])
    return values


def _known(stages: Sequence[Stage]) -> str:
    known = [f"{stage.name}.{name}" for stage in stages for name in stage.parameters]
    return f"known are {', '.join(known)}" if known else "its stages have none"


def _typed(stage: Stage, name: str, value: Any) -> Value:
    """Give the value in the type of the default, or refuse it by name."""
    import yaml

    default = stage.parameters[name]
    read = value
    if isinstance(value, str) and not isinstance(default, str):
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            read = value
    if isinstance(default, float) and isinstance(read, int) and not isinstance(read, bool):
        read = float(read)
    if isinstance(default, list) and isinstance(read, tuple):
        read = list(read)
    if default is not None and type(read) is not type(default):
        what = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
        kind = what.get(type(default), f"a {type(default).__name__}")
        raise RunError(f"parameter {name!r} of stage {stage.name!r} takes {kind}, not {value!r}")
    return read


def declared(notebook: Any, stage: Stage) -> dict[str, Value]:
    """Parameters that a notebook declares, with their defaults.

    Parsed as Python rather than by ``papermill.inspect_notebook``, which gives defaults as text and overlooks a line
    whose value holds an equals sign.

    Parameters
    ----------
    notebook
        An nbformat notebook.
    stage
        Whose notebook it is, for messages.

    Raises
    ------
    RunError
        When the cell tagged ``parameters`` is missing, occurs twice, or holds anything but plain assignments.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        raise RunError(f"notebook {stage.notebook} has {len(cells)} cells tagged 'parameters', it must have one")
    found: dict[str, Value] = {}
    try:
        for statement in ast.parse(cells[0].source).body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # a docstring
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
                found[statement.target.id] = ast.literal_eval(statement.value)
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            else:
                raise ValueError(ast.unparse(statement))
    except (SyntaxError, ValueError) as error:
        raise RunError(
            f"the parameters cell of notebook {stage.notebook} must hold plain assignments of constants only: {error}"
        ) from None
    return found


def check_declaration(notebook: Any, stage: Stage) -> None:
    """Refuse a notebook whose parameters cell and registry entry disagree (papermill itself only warns).

    Raises
    ------
    RunError
        Naming the parameter that one of the two lacks or whose defaults differ.
    """
    found = declared(notebook, stage)
    for name in ("data", "seed", "out", *(["inputs"] if stage.inputs else [])):
        if name not in found:
            raise RunError(f"notebook {stage.notebook} does not declare the parameter {name!r}, which every run sets")
    for name, default in stage.parameters.items():
        if name not in found:
            raise RunError(f"notebook {stage.notebook} does not declare the parameter {name!r} of its registry entry")
        if (found[name], type(found[name])) != (default, type(default)):
            raise RunError(
                f"parameter {name!r} of notebook {stage.notebook} has the default {found[name]!r} there "
                f"and {default!r} in the registry; make them equal"
            )
    if extra := sorted(set(found) - set(stage.parameters) - set(RESERVED)):
        raise RunError(
            f"notebook {stage.notebook} declares the parameter {extra[0]!r}, which its registry entry does not have"
        )
