"""Rows that are held out: how many, of which classes, and the warnings about it."""

import warnings

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import training

X = np.random.default_rng(3).normal(size=(60, 4)).astype(np.float32)
SORTED = np.repeat([0, 1, 2], 20)


def classifier():
    return rn.Network([rn.Dense(3)], (4,))


@pytest.mark.parametrize(
    ("fraction", "named"),
    [
        (0.04, None),
        (0.1, "the 6 rows held out are all of class 2"),
        (1 / 3 + 1e-6, "all rows of class 2 are held out"),
        (0.7, "all rows of classes 1, 2 are held out"),
    ],
)
def test_classes_of_sorted_rows_are_named(fraction, named):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier().fit(X, SORTED, validation_split=fraction, verbose=0)
    assert len(caught) == (named is not None)
    if named is not None:
        assert f"validation_split: {named}" in str(caught[0].message)
        assert "stratify=True" in str(caught[0].message)


def test_stratify_holds_out_a_part_of_each_class():
    y = SORTED.astype(np.int32)
    parts = training.split(X, y, 0.35, stratify=True)
    assert np.bincount(parts.y).tolist() == [13] * 3
    assert np.bincount(parts.val_y).tolist() == [7] * 3


@pytest.mark.parametrize("y", [SORTED > 0, (SORTED > 0).astype(float)[:, None]])
def test_one_output_has_two_classes(y):
    y = np.sort(y, axis=0)
    net = rn.Network([rn.Dense(1)], (4,), "sigmoid_cross_entropy")
    with pytest.warns(UserWarning, match="all rows of class 1 are held out"):
        net.fit(X, y, validation_split=0.7, verbose=0)
    net.fit(X, y, validation_split=0.7, stratify=True, verbose=0)
    with pytest.raises(ValueError, match="stratify: expected class labels, got values"):
        net.fit(X, y * 0.5, validation_split=0.7, stratify=True, verbose=0)


def test_rows_of_one_class_may_be_held_out_by_chance(recwarn):
    rare = np.zeros(60, int)
    rare[:2] = 1
    classifier().fit(X, rare, validation_split=0.3, verbose=0)
    classifier().fit(X, np.zeros(60, int), validation_split=0.3, verbose=0)
    uneven = np.repeat([0, 1, 2, 3, 4, 5], [50, 2, 2, 2, 2, 2])
    rn.Network([rn.Dense(6)], (4,)).fit(
        X, uneven, validation_split=0.3, stratify=True, verbose=0
    )
    assert not recwarn.list


@pytest.mark.parametrize("stratify", [False, True])
def test_rows_held_out_have_their_weights(stratify):
    y = np.arange(60) % 3
    weights = np.linspace(0.1, 3, 60)
    one, other = classifier(), classifier()
    options = {"epochs": 3, "metrics": ["f1"], "verbose": 0}
    given = one.fit(
        X, y, validation_split=0.2, stratify=stratify, sample_weight=weights, **options
    )
    held = np.arange(60) >= 48
    expected = other.fit(
        X[~held],
        y[~held],
        sample_weight=weights[~held],
        validation_data=(X[held], y[held], weights[held]),
        **options,
    )
    one_row, other_row = (h.rows[-1].as_dict() for h in (given, expected))
    for name in ("val_loss", "val_accuracy", "val_f1"):
        assert one_row[name] == other_row[name]
    assert one.weights.tobytes() == other.weights.tobytes()
    with pytest.raises(
        ValueError, match="sample_weight: the 12 rows that validation_split"
    ):
        one.fit(X, y, validation_split=0.2, stratify=stratify, sample_weight=~held)


def test_values_have_no_classes(recwarn):
    net = rn.Network([rn.Dense(1)], (4,), "squared_error")
    net.fit(X, np.arange(60.0), validation_split=0.5, verbose=0)
    assert not recwarn.list


@pytest.mark.parametrize("stratify", [False, True])
def test_a_split_that_holds_out_no_row_is_refused(stratify):
    net = classifier()
    before = net.weights.tobytes()
    with pytest.raises(
        ValueError, match=r"validation_split: 0\.01 of 60 rows.* is less than one row"
    ):
        net.fit(X, SORTED, validation_split=0.01, stratify=stratify, verbose=0)
    assert net.weights.tobytes() == before
    with pytest.raises(
        ValueError, match=r"0\.1 of 9 rows is less than one row; use a larger"
    ):
        rn.train_mlp(
            ((np.zeros((9, 784)), np.arange(9)), (np.zeros((1, 784)), [0])), verbose=0
        )
    net.fit(X, SORTED, validation_split=0, verbose=0)
