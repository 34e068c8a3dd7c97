from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.errors import ValuesError
from pluristats.values.checkpoint import Template, read_templates, read_thresholds
from tests.values.tiny import SYSTEM, TASKS


def config(tasks: Any = TASKS, system: Any = SYSTEM) -> Any:
    return SimpleNamespace(task_specific_params=copy.deepcopy(tasks), system_params=copy.deepcopy(system))


def test_templates_are_the_configs() -> None:
    templates = read_templates(config(), "tiny")
    assert {task: t.text for task, t in templates.items()} == {task: t["template"] for task, t in TASKS.items()}
    filled = templates["valence"].fill("Do a pushup", "Value", "Health")
    assert filled == "[Valence]:\tAction: Do a pushup\tValue: Health"


def test_tokens_in_what_is_filled_in_stay() -> None:
    template = read_templates(config(), "tiny")["relevance"]
    filled = template.fill("ACTION of a VRD on an ITEM\\1\\g<0>", "Duty", "VRD ACTION ITEM")
    assert filled == "[Relevance]:\tAction: ACTION of a VRD on an ITEM\\1\\g<0>\tDuty: VRD ACTION ITEM"
    assert Template("AB A B", ("A", "AB", "B")).fill("1", "2", "3") == "2 1 3"


@given(st.text("ACTIONVRDE ", max_size=30), st.text("ACTIONVRDE ", max_size=30))
def test_filling_is_putting_in_between(action: str, item: str) -> None:
    assert Template("<ACTION|VRD|ITEM>", ("ACTION", "VRD", "ITEM")).fill(action, "V", item) == f"<{action}|V|{item}>"


def test_thresholds_are_the_configs() -> None:
    thresholds = read_thresholds(config(), "tiny")
    assert thresholds.relevance == SYSTEM["relevance_threshold"]
    assert thresholds.ngram == SYSTEM["ngram_threshold"]
    assert thresholds.embed == SYSTEM["embed_threshold"]
    assert thresholds.across_vrd is False
    one = read_thresholds(config(system=SYSTEM | {"ngram_threshold": 0.5, "dedup_across_vrd": True}), "tiny")
    assert one.ngram == {"f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert one.across_vrd is True


def changed(task: str, **entries: Any) -> Any:
    tasks: dict[str, Any] = copy.deepcopy(TASKS)
    for key, value in entries.items():
        if value is None:
            del tasks[task][key]
        else:
            tasks[task][key] = value
    return tasks


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (None, r"checkpoint tiny: its config has no task_specific_params\['generate'\]; it is no KALEIDO checkpoint"),
        ({k: v for k, v in TASKS.items() if k != "valence"}, r"has no task_specific_params\['valence'\]"),
        (changed("relevance", template=None), r"has no task_specific_params\['relevance'\]\['template'\]"),
        (changed("explanation", args=None), r"has no task_specific_params\['explanation'\]\['args'\]"),
        (changed("generate", args="ACTION"), r"task_specific_params\['generate'\] of its config has a template that"),
        (changed("generate", template=3), "has a template that is no text"),
        (changed("valence", args=["ACTION", "VRD"]), "one stands for each of the prompt, the kind, the item's text"),
        (changed("valence", args=["VRD", "VRD", "ITEM"]), "one stands for each of"),
        (changed("valence", args=["ACTION", "VRD", "TEXT"]), "does not have 'TEXT', which its args name"),
        (changed("valence", args=["ACTION", "VRD", ""]), "does not have ''"),
    ],
)
def test_what_a_config_lacks_is_named(tasks: Any, message: str) -> None:
    with pytest.raises(ValuesError, match=message):
        read_templates(config(tasks), "tiny")


@pytest.mark.parametrize("key", SYSTEM)
def test_each_threshold_is_needed(key: str) -> None:
    without = {name: value for name, value in SYSTEM.items() if name != key}
    with pytest.raises(ValuesError, match=rf"its config has no system_params\['{key}'\]"):
        read_thresholds(config(system=without), "tiny")
    with pytest.raises(ValuesError, match="system_params of its config do not fit"):
        read_thresholds(config(system=SYSTEM | {key: 7}), "tiny")
