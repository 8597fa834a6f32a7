"""Schedules: golden values, limits, and that nothing but the arguments matters."""

import json
import math

import numpy as np
import pytest

from rnn_native.training.schedules import (
    Constant,
    CosineAnnealing,
    Exponential,
    OneCycle,
    Plateau,
    Schedule,
    StepDecay,
    Warmup,
    as_dict,
    from_dict,
)

# Section 7.1 of the reference systems' description.
GOLDEN = [
    *[(StepDecay(0.1, 3, 0.5), e, r) for e, r in [(2, 0.1), (3, 0.05), (6, 0.025)]],
    (StepDecay(0.1, 3, 0.5), 9, 0.0125),
    *[(Exponential(0.1, 0.95), e, r) for e, r in [(0, 0.1), (1, 0.095), (2, 0.09025)]],
    (CosineAnnealing(0.1, 10, 0.0), 0, 0.1),
    (CosineAnnealing(0.1, 10, 0.0), 5, 0.05),
    (CosineAnnealing(0.1, 10, 0.01), 10, 0.01),
    (Constant(0.1), 7, 0.1),
]

ALL = [
    Constant(0.1),
    StepDecay(0.1),
    Exponential(0.1),
    CosineAnnealing(0.1, 4),
    OneCycle(0.1, 4),
    Plateau(0.1),
    Warmup(OneCycle(0.1, 4), epochs=2),
    Warmup(Plateau(0.1), steps=7),
]


@pytest.mark.parametrize(("schedule", "epoch", "rate"), GOLDEN)
def test_golden_values(schedule, epoch, rate):
    got = schedule.rates(epoch, 844)
    assert type(got) is float
    assert got == pytest.approx(rate, abs=1e-9)


def test_cosine_stays_at_its_minimum():
    """The reference climbs back: its golden value at epoch 15 is 0.05 (defect D25)."""
    assert CosineAnnealing(0.1, 10, 0.0).rates(15, 1) == 0.0
    assert CosineAnnealing(0.1, 10, 0.01).rates(10**6, 1) == 0.01


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_epochs_may_be_asked_in_any_order_and_again(schedule):
    losses = [1.0, 0.9, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0]
    forward = [schedule.rates(e, 5, losses[:e]) for e in range(8)]
    # The whole history instead of what was known then: as good.
    backward = [schedule.rates(e, 5, losses) for e in reversed(range(8))]
    for one, other in zip(forward, reversed(backward), strict=True):
        assert np.array_equal(one, other)
        assert type(one) is type(other)


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_rates_are_a_float_or_one_for_each_step(schedule):
    for epoch in range(6):
        rates = schedule.rates(epoch, 5, [1.0] * epoch)
        if not isinstance(rates, float):
            assert rates.shape == (5,)
            assert rates.dtype == np.float64
            assert rates.flags.c_contiguous


# ---- one cycle ----


def fastai_one_cycle(position, lr_max, div, div_final, pct_start):
    """fastai's combined_cos, written as its documentation gives it."""

    def sched_cos(start, end, at):
        return start + (1 + math.cos(math.pi * (1 - at))) * (end - start) / 2

    if position < pct_start:
        return sched_cos(lr_max / div, lr_max, position / pct_start)
    at = (position - pct_start) / (1 - pct_start)
    return sched_cos(lr_max, lr_max / div_final, at)


def test_one_cycle_is_that_of_fastai():
    schedule = OneCycle(0.01, epochs=3)
    rates = np.concatenate([schedule.rates(e, 8) for e in range(3)])
    expected = [fastai_one_cycle(k / 24, 0.01, 25.0, 1e5, 0.25) for k in range(24)]
    assert rates == pytest.approx(expected, rel=1e-12)
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[6] == 0.01
    assert rates.argmax() == 6


def test_one_cycle_stays_low_after_its_last_epoch():
    rates = OneCycle(0.01, epochs=3).rates(3, 4)
    assert rates == pytest.approx([0.01 / 1e5] * 4)


# ---- plateau ----


def plateau_rates(losses, **options):
    schedule = Plateau(1.0, factor=0.5, min_delta=0.0, min_lr=0.0, **options)
    return [schedule.rates(e, 1, losses) for e in range(len(losses) + 1)]


def test_plateau_waits_for_patience_and_starts_counting_anew():
    losses = [5, 4, 4, 4, 4, 4, 3, 3]
    assert plateau_rates(losses, patience=2) == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_does_not_count_while_it_cools_down():
    losses = [4, 4, 4, 4, 4, 4]
    assert plateau_rates(losses, patience=1) == [1, 1, *(0.5**k for k in range(1, 6))]
    cooled = plateau_rates(losses, patience=1, cooldown=1)
    assert cooled == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_plateau_needs_more_than_min_delta():
    schedule = Plateau(1.0, patience=1, min_delta=0.5, min_lr=0)
    assert schedule.rates(2, 1, [4.0, 3.5]) == 0.1
    assert schedule.rates(2, 1, [4.0, 3.25]) == 1.0


def test_plateau_ends_at_its_minimum_and_never_raises_a_rate():
    assert Plateau(1.0, patience=1, min_lr=0.05).rates(9, 1, [4.0] * 9) == 0.05
    assert Plateau(0.01, patience=1, min_lr=0.05).rates(9, 1, [4.0] * 9) == 0.01


def test_nan_is_no_improvement():
    assert plateau_rates([4, math.nan, math.nan], patience=2)[-1] == 0.5
    assert plateau_rates([math.nan] * 3, patience=2) == [1, 1, 0.5, 0.5]


@pytest.mark.parametrize("history", [[], [1.0], [1.0, None]])
def test_plateau_without_validation_is_refused(history):
    assert Plateau(0.1).needs_validation
    assert Warmup(Plateau(0.1), epochs=1).needs_validation
    assert not Warmup(Constant(0.1), epochs=1).needs_validation
    with pytest.raises(ValueError, match="^plateau needs the validation loss of every"):
        Plateau(0.1).rates(2, 1, history)


@pytest.mark.parity
@pytest.mark.parametrize("cooldown", [0, 1, 2])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_plateau_is_that_of_pytorch(patience, cooldown, rng):
    """PyTorch lowers the rate in the epoch after `patience`: its patience is one less."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=0.5,
        patience=patience - 1,
        threshold=0.01,
        threshold_mode="abs",
        cooldown=cooldown,
        min_lr=1e-3,
        eps=0,
    )
    ours = Plateau(1.0, 0.5, patience, 0.01, cooldown, 1e-3)
    losses = (1 - 0.01 * np.arange(60) + rng.normal(0, 0.05, 60)).tolist()
    for epoch in range(60):
        assert ours.rates(epoch, 1, losses) == optimizer.param_groups[0]["lr"]
        theirs.step(losses[epoch])


# ---- warm-up ----


def test_warm_up_in_steps_ends_inside_an_epoch():
    schedule = Warmup(Constant(1.0), steps=6)
    assert schedule.rates(0, 4) == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6])
    assert schedule.rates(1, 4).tolist() == [5 / 6, 1, 1, 1]
    assert schedule.rates(2, 4) == 1.0
    assert type(schedule.rates(2, 4)) is float


def test_warm_up_in_epochs_is_counted_in_steps():
    schedule = Warmup(StepDecay(1.0, 1, 0.5), epochs=2)
    assert schedule.rates(0, 2).tolist() == [0.25, 0.5]
    assert schedule.rates(1, 2).tolist() == [0.5 * 0.75, 0.5]
    assert schedule.rates(2, 2) == 0.25


def test_warm_up_around_rates_of_each_step():
    inner = OneCycle(0.1, 2)
    assert np.array_equal(
        Warmup(inner, steps=4).rates(0, 4), inner.rates(0, 4) * [0.25, 0.5, 0.75, 1]
    )


# ---- bad arguments ----


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0), "lr: expected a finite number above 0, got 0"),
        (lambda: Constant(math.nan), "lr: expected a finite number above 0, got nan"),
        (lambda: StepDecay(0.1, 0), "step_size: expected a number above 0, got 0"),
        (lambda: StepDecay(0.1, 3, -1), "gamma: expected a number of at least 0, got -1"),
        (
            lambda: Exponential(0.1, -1),
            "decay_rate: expected a number of at least 0, got -1",
        ),
        (lambda: CosineAnnealing(0.1, 0), "T_max: expected a number above 0, got 0"),
        (
            lambda: CosineAnnealing(0.1, 1, -1),
            "min_lr: expected a number of at least 0, got -1",
        ),
        (lambda: OneCycle(0.1, 0), "epochs: expected a number above 0, got 0"),
        (
            lambda: OneCycle(0.1, 1, div=0.5),
            "div: expected a number of at least 1, got 0.5",
        ),
        (
            lambda: OneCycle(0.1, 1, pct_start=1),
            "pct_start: expected a number in (0, 1), got 1",
        ),
        (lambda: Plateau(0.1, factor=1), "factor: expected a number in (0, 1), got 1"),
        (lambda: Plateau(0.1, patience=0), "patience: expected a number above 0, got 0"),
        (
            lambda: Plateau(0.1, cooldown=-1),
            "cooldown: expected a number of at least 0, got -1",
        ),
        (
            lambda: Warmup(Constant(0.1)),
            "warm-up: expected epochs or steps above 0, and the other 0, got 0 epochs and 0 steps",
        ),
        (
            lambda: Warmup(Constant(0.1), 1, 1),
            "warm-up: expected epochs or steps above 0, and the other 0, got 1 epochs and 1 steps",
        ),
        (
            lambda: Constant(0.1).rates(-1, 1),
            "epoch: expected a number of at least 0, got -1",
        ),
        (
            lambda: Constant(0.1).rates(0, 0),
            "steps: expected a number of at least 1, got 0",
        ),
        (
            lambda: Exponential(0.1, 2.0).rates(5000, 1),
            "learning rate of epoch 5000 is not finite: "
            "Exponential(lr=0.1, decay_rate=2.0)",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.parametrize("wrong", [1j, "0.1", None, True, np.complex64(1), np.array([0.1])])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(TypeError, match="^lr: expected a number, got"):
        Constant(wrong)
    with pytest.raises(TypeError, match="^cooldown: expected a number, got"):
        Plateau(0.1, cooldown=wrong)


def test_numbers_of_numpy_are_plain():
    """So they are JSON, and rates are calculated in float64."""
    one = OneCycle(np.float32(0.5), np.int64(3), pct_start=np.float32(0.25))
    other = OneCycle(0.5, 3)
    assert json.dumps(as_dict(one)) == json.dumps(as_dict(other))
    assert one.rates(1, 4).dtype == np.float64
    assert one.rates(1, 4).tolist() == other.rates(1, 4).tolist()
    assert type(Warmup(StepDecay(np.float32(0.5)), np.int8(2)).epochs) is int


def test_the_base_is_abstract():
    with pytest.raises(TypeError):
        Schedule()


# ---- as plain data ----


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_plain_data_give_the_same_schedule(schedule):
    plain = json.loads(json.dumps(as_dict(schedule)))
    assert from_dict(plain) == schedule


@pytest.mark.parametrize(
    ("plain", "error"),
    [
        ({}, ValueError),
        ({"type": "Linear", "lr": 1}, ValueError),
        ({"type": "Constant"}, TypeError),
        ({"type": "Constant", "lr": 1, "x": 1}, TypeError),
        ({"type": "Constant", "lr": -1}, ValueError),
    ],
)
def test_plain_data_that_are_no_schedule(plain, error):
    with pytest.raises(error):
        from_dict(plain)
