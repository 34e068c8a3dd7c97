from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from pluristats.select.distance import combine, divergence, slope, terms

MASSES = st.lists(st.floats(0, 10), min_size=2, max_size=6).filter(lambda m: sum(m) > 1e-3)


@given(st.data())
def test_divergence_is_the_square_of_scipys_distance(data: st.DataObject) -> None:
    mass = np.array(data.draw(MASSES))
    shares = st.lists(st.floats(0, 1), min_size=len(mass), max_size=len(mass))
    q = np.array(data.draw(shares.filter(lambda q: sum(q) > 0.1)))
    q = q / q.sum()
    assert divergence(mass, q) == pytest.approx(jensenshannon(mass, q, base=2) ** 2, abs=1e-12)


def test_its_ends_by_hand() -> None:
    assert divergence([3, 3], [0.5, 0.5]) == 0
    assert divergence([1, 0], [0, 1]) == 1
    assert divergence([0, 0], [0.5, 0.5]) == 1  # no distribution at all
    # ½ · 1 · log₂(1 / ¾) + ½ (½ log₂(½ / ¾) + ½ log₂(½ / ¼))
    assert divergence([1, 0], [0.5, 0.5]) == pytest.approx(0.5 * np.log2(4 / 3) + 0.25 * np.log2(2 / 3) + 0.25)


@given(st.floats(1e-3, 1), st.floats(0, 1))
def test_slope_is_the_derivative(p: float, q: float) -> None:
    step = 1e-6 * p
    numeric = float(terms(np.array(p + step), np.array(q)) - terms(np.array(p - step), np.array(q))) / (2 * step)
    assert float(slope(np.array(p), np.array(q))) + 0.0 == pytest.approx(numeric, abs=1e-4)


def test_axes_combine_as_the_root_of_their_weighted_mean() -> None:
    assert combine([0.04, 0.0], [1, 1]) == pytest.approx(np.sqrt(0.02))
    assert combine([0.04, 0.01], [3, 1]) == pytest.approx(np.sqrt(0.13 / 4))
