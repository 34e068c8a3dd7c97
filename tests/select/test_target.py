from __future__ import annotations

from pathlib import Path

import pytest

from pluristats.errors import TargetError
from pluristats.select import Axis, Target, load_target, target_names


def test_the_papers_target() -> None:
    target = load_target()
    harm, *others = target.axes
    assert [axis.name for axis in target.axes] == ["harm", "action", "effect", "value"]
    assert harm.shares is not None
    assert [round(100 * share, 9) for _, share in harm.shares] == [1, 2, 5, 10, 20, 24, 20, 10, 5, 2, 1]
    assert [level for level, _ in harm.shares] == [k / 10 for k in range(11)]
    assert all(axis.shares is None and axis.weight == 1 and axis.mass == "shares" for axis in others)
    assert "2026" in target.source


def test_names_and_files() -> None:
    assert set(target_names()) >= {"pluriharms", "uniform"}
    with pytest.raises(TargetError, match=r"no target 'nope'; there are pluriharms, uniform"):
        load_target("nope")
    with pytest.raises(TargetError, match="cannot be read"):
        load_target("nope.yaml")


BASE = "axes: {harm: {column: harm_level, shares: {0.0: 0.5, 1.0: 0.5}}}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("axes: {}", "at least one"),
        ("- 1", "a target is a mapping"),
        ("axis: {}", "no key 'axis'; the keys are name, source, axes"),
        ("axes: {harm: {colum: x}}", "axis 'harm' has no key 'colum'"),
        ("axes: {harm: 3}", "axis 'harm' is a mapping"),
        ("axes: {harm: {shares: uniform}}", "a column or a prefix"),
        ("axes: {harm: {column: a, prefix: b}}", "a column or a prefix"),
        ("axes: {harm: {column: a, shares: {0: 0.5, 1: 0.4}}}", "sum to 0.9"),
        ("axes: {harm: {column: a, shares: {0: 50, 1: 50}}}", "sum to 100"),
        ("axes: {harm: {column: a, shares: {0: -0.5, 1: 1.5}}}", "at least 0, not -0.5"),
        ("axes: {harm: {column: a, shares: {0: .nan, 1: 1}}}", "at least 0, not nan"),
        ("axes: {harm: {column: a, shares: {0: yes, 1: 0}}}", "at least 0, not True"),
        ("axes: {harm: {column: a, shares: {true: 1.0}}}", "True is no category"),
        ("axes: {harm: {column: a, shares: even}}", "not 'even'"),
        ("axes: {harm: {column: a, weight: 0}}", "weight is a number above 0"),
        ("axes: {harm: {column: a, weight: .inf}}", "weight is a number above 0"),
        ("axes: {action: {prefix: a, mass: mean}}", "shares, argmax, presence"),
        ("axes: {action: {prefix: a, signed: 3}}", "signed is true or false"),
        ("axes: [", "not readable YAML"),
        ("axes: !!python/object/apply:os.system [x]", "not readable YAML"),
    ],
)
def test_what_is_no_target_is_refused_by_name(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(content)
    with pytest.raises(TargetError, match=says) as error:
        load_target(path)
    assert "t.yaml" in str(error.value)


def test_a_file_without_a_name_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(BASE)
    target = load_target(path)
    assert target.name == "mine"
    assert target.axes[0].shares == ((0.0, 0.5), (1.0, 0.5))


def test_rounded_shares_are_scaled_to_1() -> None:
    axis = Axis("a", column="c", shares=(("x", 0.3333), ("y", 0.3333), ("z", 0.3333)))
    assert axis.shares is not None
    assert sum(share for _, share in axis.shares) == pytest.approx(1, abs=1e-15)


def test_other_weights_and_masses() -> None:
    target = load_target().with_(weights={"harm": 2.0}, masses="presence")
    assert [axis.weight for axis in target.axes] == [2, 1, 1, 1]
    assert [axis.mass for axis in target.axes] == ["shares", "presence", "presence", "presence"]
    assert load_target().with_(masses={"value": "argmax"}).axes[3].mass == "argmax"
    with pytest.raises(TargetError, match="no axis 'harms'"):
        load_target().with_(weights={"harms": 1})
    with pytest.raises(TargetError, match="'harm' is one column"):
        load_target().with_(masses={"harm": "argmax"})
    with pytest.raises(TargetError, match="weight"):
        load_target().with_(weights={"harm": -1})


def test_axes_have_distinct_names() -> None:
    axis = Axis("a", column="c")
    with pytest.raises(TargetError, match="two axes called 'a'"):
        Target("t", (axis, axis))
    with pytest.raises(TargetError, match="no axes"):
        Target("t", ())


def test_a_category_given_twice_is_refused() -> None:
    with pytest.raises(TargetError, match="category 0 twice"):
        Axis("a", column="c", shares=((0.0, 0.5), (0, 0.5)))
