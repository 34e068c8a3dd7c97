"""Paths told in steps are the same paths, as another library reads them."""

from __future__ import annotations

import re

import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path
from hypothesis import example, given
from hypothesis import strategies as st

from pluristats.report.svgpath import steps

NUMBERS = {"L": 2, "Q": 4, "C": 6}
COORDINATE = st.integers(-99_999, 99_999).map(lambda k: k / 1000)


@st.composite
def subpaths(draw: st.DrawFn) -> str:
    """A subpath as matplotlib writes one: absolute, every command with its letter, closed or not."""

    def numbers(n: int) -> str:
        return " ".join(f"{x:.6f}".rstrip("0").rstrip(".") for x in draw(st.lists(COORDINATE, min_size=n, max_size=n)))

    commands = draw(st.lists(st.sampled_from(sorted(NUMBERS)), max_size=6))
    drawn = [f"M {numbers(2)}", *(f"{command} {numbers(NUMBERS[command])}" for command in commands)]
    return " \n".join([*drawn, "z"] if draw(st.booleans()) else drawn)


def read(data: str) -> list[tuple[str, list[tuple[float, float]]]]:
    pen = RecordingPen()
    parse_path(data, pen)
    return [(name, [(float(x), float(y)) for x, y in points]) for name, points in pen.value]


@given(st.lists(subpaths(), min_size=1, max_size=4).map(" ".join), st.integers(0, 3))
@example("M 0 0 L 0 0.001 z", 0)
@example("M 1 2 L 1 2 L 1 5 L 4 5 z L 7 8 M 0.004 -0.004 M 0 0", 2)
def test_another_library_reads_the_same_points(data: str, decimals: int) -> None:
    # Rounded first: two ends that rounding makes one are closed without a line.
    rounded = re.sub(r"-?[\d.]+", lambda x: f"{round(float(x[0]) * 10**decimals) / 10**decimals:.6f}", data)
    ours, theirs = read(steps(data, decimals)), read(rounded)
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (_, found), (_, given_) in zip(ours, theirs, strict=True):
        for (x, y), (x0, y0) in zip(found, given_, strict=True):
            # However long the path: only what adding the steps as floats loses.
            assert max(abs(x - x0), abs(y - y0)) <= 1e-9


def test_few_letters() -> None:
    assert steps("M 45.459375 241.3395 L 303.579375 241.3395 L 303.579375 7.2 z", 2) == "m45.46 241.34h258.12v-234.14z"
    assert steps("M 0.5 -0.5 L 0 0.25", 2) == "m.5-.5l-.5 .75"
    assert steps("M 6400 800 Q 64 8 0 0", 0, 1 / 8) == "m800 100q-792-99-800-100"


@pytest.mark.parametrize("command", ["A", "m", "H"])
def test_a_command_that_is_not_known_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"command {command!r}")):
        steps(f"M 0 0 {command} 1 1", 2)
