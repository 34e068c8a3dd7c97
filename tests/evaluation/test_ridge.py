"""Ridge regressions: against scikit-learn, and the leave-one-out error by leaving one out."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge as Theirs

from pluristats.evaluation.methods.ridge import _PENALTIES, ridge, row_means


def made(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    return x, x @ [1.0, 0.5, 0.0, -1.0] + 2 + rng.normal(size=rows)


def test_coefficients_are_sklearns_at_the_penalty_with_the_least_left_out_error() -> None:
    parts = [made(30, 1), made(12, 2)]
    found = ridge([x for x, _ in parts], [y for _, y in parts])
    errors = []
    for penalty in _PENALTIES:
        error = 0.0
        for x, y in parts:
            for i in range(len(y)):
                rest = np.arange(len(y)) != i
                error += float((y[i] - Theirs(alpha=penalty).fit(x[rest], y[rest]).predict(x[i : i + 1])[0]) ** 2)
        errors.append(error)
    assert found.penalty == _PENALTIES[int(np.argmin(errors))]
    assert 0 < int(np.argmin(errors)) < len(_PENALTIES) - 1
    for k, (x, y) in enumerate(parts):
        theirs = Theirs(alpha=found.penalty).fit(x, y)
        np.testing.assert_allclose(found.coefficients[k], theirs.coef_, atol=1e-10)
        np.testing.assert_allclose(found.predict(k, x), theirs.predict(x), atol=1e-10)


def test_a_response_with_one_row_is_zero() -> None:
    x, y = made(20, 3)
    found = ridge([x, x[:1]], [y, y[:1]])
    np.testing.assert_array_equal(found.coefficients[1], np.zeros(4))
    assert found.intercept[1] == 0


def test_means_of_rows_leave_missing_out() -> None:
    y = np.array([[1.0, np.nan], [0.0, 0.5], [np.nan, np.nan]])
    np.testing.assert_allclose(row_means(y), [1.0, 0.25, 0.5])
