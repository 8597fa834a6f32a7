"""Scores against hand-worked ones and, class by class, against their definitions."""

import json

import numpy as np
import pytest

from rnn_native.analysis.metrics import (
    accuracy,
    classification_report,
    confusion_matrix,
    format_confusion_matrix,
    precision_recall_f1,
    wilson_interval,
)

TRUE = [0, 0, 0, 1, 1, 2]
GUESS = [0, 1, 0, 1, 1, 1]


def test_confusion_matrix_has_true_labels_as_rows():
    matrix = confusion_matrix(TRUE, GUESS, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert matrix.dtype == np.int64
    assert confusion_matrix(TRUE, GUESS).shape == (3, 3)


def test_scores_by_hand():
    precision, recall, f1 = precision_recall_f1(confusion_matrix(TRUE, GUESS, 4))
    np.testing.assert_allclose(precision, [1, 0.5, 0, 0])
    np.testing.assert_allclose(recall, [2 / 3, 1, 0, 0])
    np.testing.assert_allclose(f1, [0.8, 2 / 3, 0, 0])
    assert accuracy(TRUE, GUESS) == 4 / 6


def test_scores_by_definition(rng):
    true, guess = rng.integers(0, 10, 500), rng.integers(0, 10, 500).astype(np.uint8)
    report = classification_report(true, guess, 10)
    assert report.accuracy == np.mean(true == guess)
    for label in range(10):
        hits = np.sum((true == label) & (guess == label))
        precision, recall = hits / np.sum(guess == label), hits / np.sum(true == label)
        assert report.precision[label] == pytest.approx(precision)
        assert report.recall[label] == pytest.approx(recall)
        assert report.f1[label] == pytest.approx(
            2 * precision * recall / (precision + recall)
        )
        assert report.support[label] == np.sum(true == label)


def test_small_unsigned_labels_do_not_overflow():
    labels = np.arange(200, dtype=np.uint8)
    assert np.array_equal(confusion_matrix(labels, labels), np.eye(200))


def test_report_as_dict_is_json():
    described = json.loads(json.dumps(classification_report(TRUE, GUESS).as_dict()))
    assert described["accuracy"] == pytest.approx(4 / 6)
    assert described["support"] == 6
    assert described["classes"]["1"] == {
        "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 2,
    }  # fmt: skip
    assert described["macro_average"]["recall"] == pytest.approx((2 / 3 + 1) / 3)
    assert described["weighted_average"]["recall"] == pytest.approx(4 / 6)
    assert described["confusion_matrix"] == [[2, 1, 0], [0, 2, 0], [0, 1, 0]]


def test_report_as_text():
    lines = str(classification_report(TRUE, GUESS)).splitlines()
    assert lines[0].split() == ["class", "precision", "recall", "f1", "rows"]
    assert lines[2].split() == ["1", "0.5000", "1.0000", "0.6667", "2"]
    assert lines[6].split() == ["accuracy", "0.6667", "6"]
    assert lines[-4:] == [
        "       0  1  2",
        "    0  2  1  0",
        "    1  0  2  0",
        "    2  0  1  0",
    ]
    assert len({len(line) for line in lines[:7]}) == 1


def test_columns_of_the_matrix_stay_apart():
    text = format_confusion_matrix([[12345, 0], [1, 2]])
    assert text.splitlines()[2] == "    0  12345      0"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([], []), ValueError, "y_true"),
        (([[1]], [1]), ValueError, "y_true"),
        (([1], [1, 2]), ValueError, "y_pred: expected 1 labels"),
        (([1.0], [1]), TypeError, "y_true: expected integer labels, got float64"),
        (([True], [1]), TypeError, "y_true"),
        (([1], [-1]), ValueError, "y_pred: expected labels in 0..1, got -1"),
        (([1, 3], [1, 1], 3), ValueError, r"y_true: .* got 3 at \[1\]"),
        (([1], [1], 0), ValueError, "classes"),
        (([1], [1], 2.0), TypeError, "classes"),
        (([1], [10**9]), ValueError, "classes"),
    ],
)
def test_bad_labels_are_refused(arguments, error, words):
    for function in (confusion_matrix, classification_report):
        with pytest.raises(error, match=words):
            function(*arguments)


@pytest.mark.parametrize("matrix", [[1], [[1, 2]], [[1.5]], [[-1]], []])
def test_what_is_no_confusion_matrix_is_refused(matrix):
    for function in (precision_recall_f1, format_confusion_matrix):
        with pytest.raises((TypeError, ValueError), match="confusion"):
            function(matrix)


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 1 - 0.1611, 1.0),
    ],
)
def test_wilsons_interval_is_newcombes(hits, rows, low, high):
    """Newcombe 1998, table I, method 3; the last is the third the other way round."""
    got = wilson_interval(hits, rows)
    np.testing.assert_allclose(got, [low, high], atol=5e-5)
    if hits in (0, rows):
        assert got[hits == rows] == hits / rows


def test_wilsons_interval_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    hits, rows = np.array([0, 3, 500, 7]), np.array([1, 5, 10_000, 7])
    expected = [
        stats.binomtest(k, n).proportion_ci(method="wilson")
        for k, n in zip(hits.tolist(), rows.tolist(), strict=True)
    ]
    np.testing.assert_allclose(np.transpose(wilson_interval(hits, rows)), expected)


@pytest.mark.parametrize(("hits", "rows"), [(0, 0), (-1, 2), (3, 2), (np.nan, 2)])
def test_bad_counts_have_no_interval(hits, rows):
    with pytest.raises(ValueError, match="at least 1 row, and 0..rows hits"):
        wilson_interval(hits, rows)


def test_table_with_names():
    lines = (
        classification_report(TRUE, GUESS).table(["a", "b", "no short name"]).splitlines()
    )
    assert [line[:15].rstrip() for line in lines[1:4]] == ["a", "b", "no short name"]
    assert str(classification_report(TRUE, GUESS)).startswith("class ")
