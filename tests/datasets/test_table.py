"""Tables become rows: which columns are categories, their codes, and what is refused."""

import json
from fractions import Fraction

import numpy as np
import pytest

from rnn_native.datasets.table_code import TableCode

pd = pytest.importorskip("pandas")

TABLE = {
    "job": ["smith", "baker", None, "smith"],
    "age": [31, 42, 53, 64],
    "flag": [True, None, False, True],
    "size": np.array([1.5, 2.5, 3.5, 4.5]),
}


class Frame:
    """A data frame of no library: names, and columns that become arrays."""

    def __init__(self, table):
        self._table = table
        self.columns = list(table)

    def __getitem__(self, name):
        column = np.array(self._table[name], object if name in ("job", "flag") else None)
        return type("Series", (), {"to_numpy": lambda _: column, "__len__": lambda _: 4})()


def frame(table=TABLE, **changed):
    return pd.DataFrame({**table, **changed})


FORMS = {
    "dict": TABLE,
    "pandas": frame(),
    "pandas' categories": frame().astype({"job": "category"}),
    "pandas' nullable": frame().astype(
        {"job": "string", "age": "Int64", "flag": "boolean"}
    ),
    "another library's": Frame(TABLE),
}


@pytest.mark.parametrize("form", [form for form in FORMS if "nullable" not in form])
def test_codes_of_every_form(form):
    """By hand: unseen, missing, then sorted categories; the next column's rows follow."""
    code = TableCode.learned(FORMS[form])
    assert code.categories == {"job": ("baker", "smith"), "flag": (False, True)}
    assert code.numbers == ("age", "size")
    assert code.sizes == [4, 4]
    expected = [[3, 7, 31, 1.5], [2, 5, 42, 2.5], [1, 6, 53, 3.5], [3, 7, 64, 4.5]]
    for other in FORMS.values():
        np.testing.assert_array_equal(code.rows(other), np.float32(expected))


def test_columns_may_come_in_another_order_and_with_other_values():
    code = TableCode.learned(TABLE)
    changed = {**TABLE, "job": ["cook", "baker", np.nan, None]}
    rows = code.rows(dict(reversed(changed.items())))
    np.testing.assert_array_equal(rows[:, 0], [0, 2, 1, 1])


def test_named_columns_are_categories_and_numbers_of_any_type_match():
    code = TableCode.learned(TABLE, ["age"])
    assert code.categories["age"] == (31, 42, 53, 64)
    changed = {**TABLE, "age": [42.0, np.nan, 7.5, 64.0]}
    np.testing.assert_array_equal(code.rows(changed)[:, 1], 4 + np.array([3, 1, 0, 5]))


def test_an_array_has_columns_by_index():
    array = np.array([["u", 1, 7], ["v", 2, 8]], object)
    code = TableCode.learned(array, [2])
    assert code.categories == {0: ("u", "v"), 2: (7, 8)}
    np.testing.assert_array_equal(code.rows(array), np.float32([[2, 6, 1], [3, 7, 2]]))


def test_rare_categories_count_as_unseen():
    code = TableCode.learned({"a": ["x", "y", "x", "z"]}, min_count=2)
    assert code.categories == {"a": ("x",)}
    np.testing.assert_array_equal(code.rows({"a": ["x", "y", None]}), [[2], [0], [1]])


@pytest.mark.parametrize("named", [[], ["age", "size"]])
def test_a_dict_has_it_all(named):
    code = TableCode.learned({**TABLE, "age": np.int32(TABLE["age"])}, named)
    assert TableCode.from_dict(json.loads(json.dumps(code.as_dict()))) == code


REFUSED = {
    "missing": ({"job": None}, "expected the 4 columns .* fitted on; missing 'job'$"),
    "unknown": ({"jobs": [1] * 4}, "expected the 4 columns .* fitted on; unknown 'jobs'$"),
    "words for numbers": ({"age": ["a"] * 4}, "column 'age': expected numbers, got words$"),
    "numbers for words": (
        {"job": [1, 2, 3, 4]},
        "column 'job': expected words, as in fit, got numbers$",
    ),
    "dates": (
        {"age": np.array(["2020-01-01"] * 4, "datetime64[D]")},
        r"column 'age': expected numbers or categories, one per row, got datetime64\[D\]$",
    ),
    "NaN": (
        {"size": [1, 2, np.nan, 4]},
        "column 'size': expected finite numbers, got nan in row 2; fill it in, or make the "
        "column one of categories$",
    ),
    "too large": (
        {"size": [1, 1e300, 1, 1]},
        "column 'size': expected .* 1e.300 in row 1;",
    ),
    "beyond float64": (
        {"size": [1, 2, 10**400, 4]},
        "column 'size': expected finite numbers, got an integer of many digits in row 2;",
    ),
    "masked": (
        {"size": np.ma.array([1.0, 2, 3, 4], mask=[0, 1, 1, 0])},
        "column 'size': expected no masked values, got 2; fill them first$",
    ),
    "masked words": (
        {"job": np.ma.array(["a", "b", "c", "d"], mask=[0, 1, 0, 0])},
        "column 'job': expected no masked values, got 1; fill them first$",
    ),
    "1 among flags": (
        {"flag": [True, 1, False, None]},
        "column 'flag': expected categories of one kind, got flags and numbers; convert all",
    ),
    "1 among flags of pandas": (
        {"flag": pd.Series([True, 1, False, None], dtype=object)},
        "column 'flag': expected categories of one kind, got flags and numbers; convert all",
    ),
    "several kinds": (
        {"job": ["a", 3, "b", None]},
        "column 'job': expected categories of one kind, got numbers and words; convert all",
    ),
    "no categories": (
        {"job": [{}, "a", "b", "c"]},
        "column 'job': expected numbers or categories, got dict$",
    ),
    "other categories": (
        {"job": [(1,), (2,), (3,), (4,)]},
        "column 'job': expected categories that are words, numbers or flags, got tuple; convert",
    ),
    "lengths": (
        {"size": [1, 2]},
        "expected columns of one length, got 4 rows in 'job' and 2 in 'size'$",
    ),
    "names": ({(1, 2): [1] * 4}, r"expected names of columns as str, got \(1, 2\)$"),
}


@pytest.mark.parametrize(("changed", "message"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_does_not_fit_is_refused(changed, message):
    code = TableCode.learned(TABLE)
    table = {name: one for name, one in {**TABLE, **changed}.items() if one is not None}
    with pytest.raises((ValueError, TypeError), match=f"^x: {message}"):
        code.rows(table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "x: expected a table with rows and columns, got an empty one"),
        ({"a": []}, "x: expected a table with rows and columns, got an empty one"),
        (
            np.zeros(3),
            r"x: expected a data frame, a dict of columns or an array of shape \(n",
        ),
        (
            np.ma.array([[1.0, 2.0]], mask=[[0, 1]]),
            "x: expected no masked values, got 1; fill them first$",
        ),
        (
            [[1, 2], [3]],
            "x: expected a data frame, .* got rows of several lengths or shapes$",
        ),
        (frame().set_axis(list("abab"), axis=1), "x: expected .* names, got 'a' twice"),
        (
            {"id": [f"{i}" for i in range(11)]},
            "x: column 'id': expected at most 10 categories",
        ),
    ],
)
def test_what_cannot_be_learned(table, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        TableCode.learned(table, max_categories=10)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            Fraction(1, 3),
            r"categories that are words, .* got Fraction\(1, 3\); convert them",
        ),
        (np.longdouble(1) / 3, "categories that are words, .*; convert them"),
        (10**400, "a number below 1.8e308, got an integer of many digits$"),
    ],
)
@pytest.mark.parametrize("as_column", [list, np.array])
def test_categories_that_no_file_can_hold_are_refused(value, message, as_column):
    with pytest.raises(
        (ValueError, TypeError), match=f"^x: column 'a': expected {message}"
    ):
        TableCode.learned({"a": as_column([value, 1])}, ["a"])


def test_numbers_too_far_apart_to_be_normalized_are_refused_by_column():
    table = {"a": ["u", "v"], "b": [1.0, 2.0], "c": [1e30, 1.0]}
    code = TableCode.learned(table)
    with pytest.raises(ValueError, match=r"^x: column 'c': expected .* variance is finite"):
        code.check_spread(code.rows(table))
    code.check_spread(code.rows({**table, "c": [1e30, 1e30]}))


@pytest.mark.parametrize("value", ["cook", 3.5, np.array(3), {1, 2}], ids=repr)
def test_a_column_is_not_a_single_value(value):
    message = r"^x: column 'job': expected a value for each row, got .*write \[value\]"
    with pytest.raises(TypeError, match=message):
        TableCode.learned({"job": value, "age": [3]})


def test_an_array_in_place_of_names():
    with pytest.raises(
        ValueError, match="got an array; give a data frame, or a dict of col"
    ):
        TableCode.learned(TABLE).rows(np.zeros((2, 4)))
    with pytest.raises(
        ValueError, match="^categorical: unknown column 'jobb'; expected some"
    ):
        TableCode.learned(TABLE, ["jobb"])
