"""Formula and table to arrays: rows, response, columns, factors, and the same columns for other rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import FitError, FormulaError
from pluristats.formula import Design, build_design

N = 12
FRAME = pd.DataFrame(
    {
        "y": np.linspace(-1, 2, N) ** 2,
        "x": np.arange(1.0, N + 1),
        "k": np.arange(N) % 5,
        "c": list("abcabcabcabc"),
        "b": np.arange(N) % 3 == 0,
        "g": [10, 2, 33] * 4,
        "h": pd.Categorical(["lo", "hi"] * 6, categories=["lo", "mid", "hi"]),
    },
    index=[f"row {i}" for i in range(N)],
)


def design(formula: str, frame: pd.DataFrame = FRAME, groups: dict[str, tuple[str, ...]] | None = None) -> Design:
    return build_design(formula, frame, groups)


def column(formula: str, name: str, frame: pd.DataFrame = FRAME) -> np.ndarray:
    made = design(formula, frame)
    return made.x[:, made.x_names.index(name)]


# ---- columns ----


@given(
    names=st.lists(st.sampled_from(["x1", "x2", "x3", "x4"]), min_size=1, max_size=3, unique=True),
    shape=st.sampled_from(["{}", "{} - 1", "0 + {}", "({})**2"]),
    joint=st.sampled_from([" + ", "*", ":", "/"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=3000)
def test_numeric_columns_are_formulaics(names: list[str], shape: str, joint: str, seed: int) -> None:
    frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(6, 5)), columns=["y", "x1", "x2", "x3", "x4"])
    right = shape.format(joint.join(names))
    expected = model_matrix(right, frame)
    made = design(f"y ~ {right}", frame)
    assert made.spec is None  # built without formulaic
    assert sorted(made.x_names) == sorted("(Intercept)" if c == "Intercept" else c for c in expected)
    for j, name in enumerate(made.x_names):
        np.testing.assert_array_equal(made.x[:, j], expected["Intercept" if name == "(Intercept)" else name])
    assert made.x.flags.f_contiguous


@pytest.mark.parametrize(
    "right", ["c", "0 + c", "c*x", "x + c:b", "b", "h + log(x)", "x + np.sqrt(x)", "C(k)", "poly(x, 2)"]
)
def test_other_columns_are_formulaics(right: str) -> None:
    there = FRAME.assign(h=FRAME["h"].cat.remove_unused_categories())
    expected = model_matrix(right, there, context={"np": np})
    made = design(f"y ~ {right}")
    assert made.x_names == tuple("(Intercept)" if c == "Intercept" else c for c in expected)
    np.testing.assert_allclose(made.x, expected.to_numpy(float), rtol=1e-12)


def test_integers_and_nullable_numbers_are_numbers() -> None:
    frame = FRAME.assign(i=pd.array(FRAME["k"], dtype="Int64"), f=pd.array(FRAME["x"], dtype="Float64"))
    made = design("y ~ k + i + f", frame)
    assert made.spec is None
    np.testing.assert_array_equal(made.x[:, 1:], FRAME[["k", "k", "x"]].to_numpy(float))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "Int16", "float32", "int64"])
@pytest.mark.parametrize("right", ["k*j", "k*j + c", "k:j:c", "I(k * j)", "k + C(k) + j"])
def test_products_of_narrow_numbers_neither_wrap_nor_lose_digits(right: str, dtype: str) -> None:
    frame = FRAME.assign(j=np.arange(N) * 11)
    made = design(f"y ~ {right}", frame.astype({"k": dtype, "j": dtype}))
    wide = design(f"y ~ {right}", frame)
    np.testing.assert_array_equal(made.x, wide.x)
    if dtype != "float32" or "C(" not in right:
        assert made.x_names == wide.x_names
    np.testing.assert_array_equal(made.fixed_for(frame.astype({"k": dtype, "j": dtype}).iloc[4:]), wide.x[4:])
    big = design("y ~ j:m + c", frame.assign(m=10**18))
    np.testing.assert_array_equal(big.x[:, big.x_names.index("j:m")], frame["j"] * 1e18)


def test_a_response_of_narrow_integers_does_not_wrap() -> None:
    made = design("I(-k - 250) ~ x", FRAME.astype({"k": "uint8"}))
    np.testing.assert_array_equal(made.y, -FRAME["k"].to_numpy(float) - 250)


@pytest.mark.parametrize("dtype", [object, "string", "string[pyarrow]", "category"])
def test_text_is_a_category_whatever_stores_it(dtype: object) -> None:
    made = design("y ~ c", FRAME.assign(c=FRAME["c"].astype(dtype)))
    assert made.x_names == ("(Intercept)", "c[T.b]", "c[T.c]")
    np.testing.assert_array_equal(made.x[:, 1], FRAME["c"] == "b")


@pytest.mark.parametrize("right", ["c", "C(c)", "x:c + c"])
@pytest.mark.parametrize("order", ["qabc", "aqbc", "abcq"])
def test_categories_without_rows_are_no_columns_and_unseen(right: str, order: str) -> None:
    """As in lme4: after rows are taken away, or miss another column, the first category left is the reference."""
    frame = FRAME.assign(c=pd.Categorical(FRAME["c"], categories=list(order)))
    made, plain = design(f"y ~ {right}", frame), design(f"y ~ {right}")
    assert made.x_names == plain.x_names
    np.testing.assert_array_equal(made.x, plain.x)
    np.testing.assert_array_equal(made.fixed_for(frame.iloc[[4, 2]]), plain.x[[4, 2]])
    missing = design(f"y ~ {right}", frame.assign(x=FRAME["x"].where(FRAME["c"] != "a")).assign(y=lambda t: t.x))
    assert not any("[T.b]" in name for name in missing.x_names)
    with pytest.raises((FitError, FormulaError), match=r"the fit has not seen|categories outside"):
        made.fixed_for(frame.assign(c=pd.Categorical(["q"] * N, categories=list(order))))


def test_text_that_arrow_holds_is_a_category() -> None:
    pa = pytest.importorskip("pyarrow")
    held = FRAME.assign(c=FRAME["c"].astype(pd.ArrowDtype(pa.string())))
    made = design("y ~ c*x", held)
    np.testing.assert_array_equal(made.x, design("y ~ c*x").x)
    np.testing.assert_array_equal(made.fixed_for(held.iloc[3:]), made.x[3:])
    np.testing.assert_array_equal(made.fixed_for(FRAME.iloc[3:]), made.x[3:])


@pytest.mark.parametrize(
    "name", ["my x", "x ~ y|z", "a:b", "class", "log", "été", "评分", "x)", "C", "np", "a\nb", "<b>"]
)
def test_columns_of_any_name(name: str) -> None:
    frame = FRAME.rename(columns={"x": name, "g": f"{name} group"})
    made = design(f"y ~ `{name}` + `{name}`:k + (1|`{name} group`)", frame)
    assert made.x_names == ("(Intercept)", name, f"{name}:k")
    np.testing.assert_array_equal(made.x[:, 2], FRAME["x"] * FRAME["k"])
    assert made.factors[0].name == f"{name} group"
    with_text = design(f"y ~ c + `{name}`", frame)  # through formulaic
    np.testing.assert_array_equal(with_text.x[:, with_text.x_names.index(name)], FRAME["x"])


def test_a_column_called_1_is_no_intercept() -> None:
    frame = FRAME.rename(columns={"x": "1"})
    np.testing.assert_array_equal(design("y ~ 0 + `1`", frame).x[:, 0], FRAME["x"])
    with pytest.raises(FormulaError, match="column called '1'"):
        design("y ~ c + `1`", frame)


def test_a_single_category_is_refused() -> None:
    with pytest.raises(FormulaError, match="term 'c' has one category only"):
        design("y ~ x + c", FRAME.assign(c="all"))


def test_odd_names_inside_an_expression() -> None:
    frame = FRAME.rename(columns={"x": "my x"})
    np.testing.assert_allclose(column("y ~ log(`my x`)", "log(`my x`)", frame), np.log(FRAME["x"]))


def test_a_feature_group_stands_for_its_columns() -> None:
    made = design(
        "y ~ traits:things - x:k", groups={"traits": ("x",), "things": ("k", "b2")}, frame=FRAME.assign(b2=2.0)
    )
    assert made.x_names == ("(Intercept)", "x:b2")
    np.testing.assert_array_equal(made.x[:, 1], 2 * FRAME["x"])


@pytest.mark.parametrize(
    ("formula", "changed", "message"),
    [
        ("y ~ zz", {}, "names 'zz', which is not in the data .columns: y, x, k"),
        ("y ~ x + (1|zz)", {}, "names 'zz'"),
        ("y ~ x + (1 + zz|g)", {}, "names 'zz'"),
        ("y ~ log(zz)", {}, "fixed part cannot be evaluated: .*'zz' is not defined"),
        ("y ~ x + traits", {}, "names 'missing'"),
        ("zz ~ x", {}, "response 'zz' names no column"),
        ("1 ~ x", {}, "response '1' names no column"),
        ("c ~ x", {}, "response 'c' is not numeric"),
        ("C(c) ~ x", {}, r"response 'C\(c\)' is 3 columns"),
        ("x:k ~ x", {}, "response cannot be evaluated"),
        ("nope(y) ~ x", {}, "response cannot be evaluated: .*nope"),
        ("y ~ x", {"y": 1j * FRAME["y"]}, "not numeric .its type is complex128"),
        ("y ~ x", {"x": FRAME["x"] + 1j}, "'x' is complex128"),
        ("y ~ x", {"x": pd.date_range("2024-01-01", periods=N)}, r"'x' is datetime64\[.*\], neither numbers nor"),
        ("y ~ x", {"x": pd.date_range("2024-01-01", periods=N, tz="UTC")}, r"'x' is datetime64\[.*UTC\]"),
        ("y ~ x", {"x": pd.to_timedelta(np.arange(N), unit="h")}, r"'x' is timedelta64"),
        ("y ~ x", {"x": FRAME["x"].astype(object)}, r"'x' is object \(floating\).*convert it first"),
        ("y ~ x + c", {"x": FRAME["k"].astype(object)}, r"'x' is object \(integer\)"),
        ("y ~ c + Intercept", {"Intercept": FRAME["x"]}, "both be called 'Intercept'"),
        ("y ~ c + `c[T.b]`", {"c[T.b]": FRAME["x"]}, r"both be called 'c\[T\.b\]'"),
    ],
)
def test_what_cannot_be_built_is_named(formula: str, changed: dict[str, object], message: str) -> None:
    frame = FRAME.assign(**{name: np.asarray(v) if isinstance(v, list) else v for name, v in changed.items()})
    if changed:  # indexes of the replacements are ignored
        for name, value in changed.items():
            frame[name] = pd.Series(value).to_numpy() if getattr(value, "tz", None) is None else value
    with pytest.raises(FormulaError, match=message) as caught:
        design(formula, frame, {"traits": ("x", "missing")})
    assert "\n" not in str(caught.value)


def test_a_group_and_a_column_of_one_name_are_refused() -> None:
    with pytest.raises(FormulaError, match="'x' is both a feature group and a column"):
        design("y ~ x", groups={"x": ("k",)})


@pytest.mark.parametrize("formula", ["y ~ x", "x ~ y", "y ~ k + (1|x)", "y ~ log(x)"])
def test_namesakes_are_refused(formula: str) -> None:
    with pytest.raises(FormulaError, match="several columns called 'x'"):
        design(formula, pd.concat([FRAME, FRAME[["x"]]], axis=1))
    design("y ~ k", pd.concat([FRAME, FRAME[["x"]]], axis=1))  # those that the model does not read do not matter


# ---- response ----


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("y", FRAME["y"]),
        ("`y`", FRAME["y"]),
        ("log(x)", np.log(FRAME["x"])),
        ("np.sqrt(x + k)", np.sqrt(FRAME["x"] + FRAME["k"])),
        ("x + k", FRAME["x"] + FRAME["k"]),
        ("x / 2", FRAME["x"] / 2),
        ("-x", -FRAME["x"]),
        ("k", FRAME["k"]),
        ("b", FRAME["b"]),
    ],
)
def test_responses(response: str, expected: pd.Series) -> None:
    y = design(f"{response} ~ 1").y
    assert y.dtype == float
    np.testing.assert_allclose(y, expected.astype(float), rtol=1e-12)


def test_the_tables_own_numbers_are_not_shared() -> None:
    frame = FRAME.copy()
    made = design("y ~ x", frame)
    made.y[0] = made.x[0, 1] = 99.0
    pd.testing.assert_frame_equal(frame, FRAME)


# ---- rows ----


def test_missing_rows_are_left_out_and_counted_by_column() -> None:
    frame = FRAME.astype({"c": object}).copy()
    frame.loc["row 0", "y"] = np.nan
    frame.loc[["row 0", "row 3"], "x"] = np.nan
    frame.loc["row 5", "c"] = None
    frame.loc["row 7", "k"] = -1  # not missing
    frame["never used"] = np.nan
    made = design("y ~ log(x) + c + (1|k)", frame)
    assert made.dropped == (("y", 1), ("x", 2), ("c", 1))
    assert made.rows.tolist() == [1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert (made.n_data, made.n_dropped) == (12, 3)
    np.testing.assert_array_equal(made.y, FRAME["y"].iloc[made.rows])


@pytest.mark.parametrize("dtype", ["Int64", "string", "boolean", "category"])
def test_every_kind_of_missing_value_counts(dtype: str) -> None:
    values = {"Int64": [1, 2, None, 4], "string": ["a", "b", None, "a"], "boolean": [True, False, None, True]}
    frame = FRAME.iloc[:4].assign(v=pd.array(values.get(dtype, values["string"]), dtype=dtype))
    made = design("y ~ x + (1|v)", frame)
    assert made.dropped == (("v", 1),)
    assert design("y ~ v", frame).dropped == (("v", 1),)


def test_a_function_of_a_columns_name_does_not_read_the_column() -> None:
    made = design("y ~ log(x)", FRAME.assign(log=np.nan))
    assert made.n_dropped == 0
    np.testing.assert_allclose(made.x[:, 1], np.log(FRAME["x"]))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ bad", "'bad' holds an infinite value in row 'row 4'"),
        ("bad ~ x", "'bad' holds an infinite value in row 'row 4'"),
        ("y ~ x + (1|bad)", "'bad' holds an infinite value in row 'row 4'"),
        ("y ~ log(zero)", r"'log\(zero\)' is -inf in row 'row 2'"),
        ("y ~ log(minus)", r"'log\(minus\)' is nan in row 'row 2'"),
        ("log(minus) ~ x", r"'log\(minus\)' is nan in row 'row 2'"),
        ("y ~ huge:huge2", "'huge:huge2' is inf in row 'row 0'"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_is_not_finite_is_refused_with_its_row(formula: str, message: str) -> None:
    frame = FRAME.assign(
        bad=FRAME["x"], zero=FRAME["x"] - 3, huge=1e200, huge2=1e200, minus=FRAME["x"].where(FRAME["x"] != 3, -1)
    )
    frame.loc["row 4", "bad"] = np.inf
    frame["zero"] = frame["zero"].clip(lower=0).where(FRAME["x"] >= 3, 1)
    with pytest.raises(FitError, match=message):
        if "huge" in formula:
            with np.errstate(over="ignore"):
                design(formula, frame)
        design(formula, frame)


def test_no_rows() -> None:
    with pytest.raises(FitError, match=r"No rows are left to fit: x \(missing in 12 rows\)"):
        design("y ~ x", FRAME.assign(x=np.nan))
    with pytest.raises(FitError, match="No rows are left to fit: the table is empty"):
        design("y ~ x", FRAME.iloc[:0])


# ---- factors ----


def test_levels_are_sorted_or_in_categorical_order_and_occur() -> None:
    number, category = design("y ~ 1 + (1|g) + (1|h)").factors
    assert number.levels == (2, 10, 33)
    assert number.codes.tolist() == [1, 0, 2] * 4
    assert category.levels == ("lo", "hi")
    assert category.codes.tolist() == [0, 1] * 6


def test_interactions_have_the_combinations_that_occur() -> None:
    (factor,) = design("y ~ 1 + (1|g:c)").factors  # g and c go in step
    assert factor.name == "g:c" and factor.levels == ("2:b", "10:a", "33:c")
    assert factor.codes.tolist() == [1, 0, 2] * 4
    nested = design("y ~ 1 + (1|h/k)").factors
    assert [f.name for f in nested] == ["k:h", "h"]
    assert nested[0].q == len({*zip(FRAME["k"], FRAME["h"], strict=True)}) == 10


def test_whole_numbers_have_the_same_labels_with_and_without_gaps() -> None:
    (whole,) = design("y ~ 1 + (1|k:c)").factors
    (gaps,) = design("y ~ 1 + (1|k:c)", FRAME.astype({"k": float})).factors
    assert gaps.levels == whole.levels


def test_labels_that_would_mix_two_combinations_up_are_refused() -> None:
    frame = FRAME.assign(p=["x:y", "x"] * 6, q=["z", "y:z"] * 6)
    with pytest.raises(FormulaError, match="Two combinations of p:q would both be called 'x:y:z'"):
        design("y ~ 1 + (1|p:q)", frame)


# ---- other rows ----


@pytest.mark.parametrize(
    "right", ["x", "x*k", "c", "c*x", "h", "b", "log(x)", "center(x)", "scale(x)", "poly(x, 2)", "C(k)", "x + h:c"]
)
def test_columns_for_other_rows_are_those_of_the_fit(right: str) -> None:
    made = design(f"y ~ {right}")
    for rows in ([0], [5, 3], list(range(N))):
        np.testing.assert_allclose(made.fixed_for(FRAME.iloc[rows]), made.x[rows], rtol=1e-12)


def test_a_subset_of_the_columns() -> None:
    made = design("y ~ x*k + c")
    part = made.subset(np.array([0, 2, 5]))
    assert part.x_names == tuple(made.x_names[j] for j in (0, 2, 5))
    np.testing.assert_array_equal(part.fixed_for(FRAME), made.x[:, [0, 2, 5]])
    np.testing.assert_array_equal(part.subset(np.array([2])).fixed_for(FRAME), made.x[:, [5]])


@pytest.mark.parametrize(
    ("right", "change", "error", "message"),
    [
        ("x", {"x": "1"}, FormulaError, "'x' was a number in the fit and is (object|str) in the new data"),
        ("x", {"x": True}, FormulaError, "'x' was a number in the fit and is bool"),
        ("x", {"x": np.inf}, FitError, "'x' is inf in row 'row 0'"),
        ("c", {"c": "q"}, FitError, "Row 'row 0' has 'q' in column 'c', a category that the fit has not seen"),
        ("C(c)", {"c": "q"}, FormulaError, "categories outside"),
        ("log(x)", {"x": -1.0}, FitError, r"'log\(x\)' is nan in row 'row 0'"),
        ("x", {"x": None}, FormulaError, "'x', which is not in the new data"),
        ("log(x)", {"x": None}, FormulaError, "'x' is not defined"),
    ],
)
def test_other_rows_that_do_not_fit_are_refused(
    right: str, change: dict[str, object], error: type[Exception], message: str
) -> None:
    made = design(f"y ~ {right}")
    ((name, value),) = change.items()
    new = FRAME.drop(columns=name) if value is None else FRAME.assign(**{name: value})
    with pytest.raises(error, match=message):
        made.fixed_for(new.iloc[:3])


def test_labels_that_are_no_text_are_refused_because_pandas_takes_them_for_one() -> None:
    labels = pd.Series([f"{k % 3}\ud800" for k in range(12)], dtype=object)
    frame = pd.DataFrame({"y": np.arange(12.0), "g": labels})
    with pytest.raises(FormulaError, match=r"Column 'g' has the label '0\\ud800', which holds half a surrogate pair"):
        build_design("y ~ 1 + (1 | g)", frame)
