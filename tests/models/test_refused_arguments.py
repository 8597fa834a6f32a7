"""No argument is taken and ignored: each is refused by name if it is of no use."""

import inspect
import io

import numpy as np
import pytest

import rnn_native as rn

X, Y = np.ones((40, 3), np.float32), [0, 1] * 20


def net():
    return rn.Network([rn.Dense(2)], (3,))


def trained(**options):
    data = (X, Y), (X, Y)
    return rn.train([rn.Dense(2)], data, **{"input_shape": (3,), "epochs": 1} | options)


CALLS = {
    "CSVLogger": lambda **o: rn.CSVLogger("log.csv", **o),
    "CosineAnnealing": lambda **o: rn.schedules.CosineAnnealing(0.1, 3, **o),
    "EarlyStopping": rn.EarlyStopping,
    "Ensemble.evaluate": lambda **o: rn.Ensemble([net()]).evaluate(X, Y, **o),
    "LearningRateScheduler": lambda **o: rn.LearningRateScheduler(abs, **o),
    "ModelCheckpoint": lambda **o: rn.ModelCheckpoint("model", **o),
    "Network": lambda **o: rn.Network([rn.Dense(2)], (3,), **o),
    "ReduceLROnPlateau": rn.ReduceLROnPlateau,
    "StepDecay": lambda **o: rn.schedules.StepDecay(0.1, **o),
    "TerminateOnNaN": rn.TerminateOnNaN,
    "evaluate": lambda **o: net().evaluate(X, Y, **o),
    "fit": lambda **o: net().fit(X, Y, **{"epochs": 1, "verbose": 0} | o),
    "fit_many": lambda **o: rn.fit_many([net()], X, Y, **{"epochs": 1} | o),
    "lr_find": lambda **o: rn.lr_find(net(), X, Y, **o),
    "predict": lambda **o: net().predict(X, **o),
    "save": lambda **o: net().save(io.BytesIO(), **o),
    "train": trained,
    "train_on_batch": lambda **o: net().train_on_batch(X, Y, **o),
}
SIGNATURES = {
    "CosineAnnealing": rn.schedules.CosineAnnealing,
    "Ensemble.evaluate": rn.Ensemble.evaluate,
    "StepDecay": rn.schedules.StepDecay,
}
for call in CALLS.keys() - SIGNATURES.keys():
    SIGNATURES[call] = getattr(rn, call, None) or getattr(rn.Network, call)
OPTIONS = [
    (call, name)
    for call, function in sorted(SIGNATURES.items())
    for name, parameter in inspect.signature(function).parameters.items()
    if parameter.default is not parameter.empty and (call, name) != ("fit", "y")
]


@pytest.mark.parametrize(("call", "name"), OPTIONS)
def test_what_is_of_no_use_is_refused(call, name):
    with pytest.raises((TypeError, ValueError)) as caught:
        CALLS[call](**{name: object()})
    assert "\n" not in str(caught.value)
    if (call, name) != ("train", "config"):
        assert name in str(caught.value)


NUMBERS = {
    "beta_1": lambda huge: optimized(beta_1=huge),
    "clip_norm": lambda huge: net().train_on_batch(X, Y, clip_norm=huge),
    "gamma": lambda huge: rn.losses.Focal(gamma=huge),
    "input_shape": lambda huge: rn.Network([rn.Dense(2)], (huge,)),
    "l2": lambda huge: net().train_on_batch(X, Y, l2=huge),
    "learning_rate": lambda huge: run(rn.LearningRateScheduler(lambda epoch: huge)),
    "logs: new": lambda huge: run(logging(huge)),
    "lr": lambda huge: rn.schedules.CosineAnnealing(huge, T_max=3),
    "metrics: .* from own": lambda huge: measured(lambda *_: huge),
    "min_delta": lambda huge: rn.EarlyStopping(min_delta=huge),
    "min_lr": lambda huge: rn.ReduceLROnPlateau(min_lr=huge),
    "n": lambda huge: rn.datasets.synthetic_digits(huge),
    "output_gradient.0, 1.": lambda huge: backward([[1, huge]] * 40),
    "sample_weight.39.": lambda huge: net().fit(X, Y, sample_weight=[1] * 39 + [huge]),
    "seed": lambda huge: rn.Network([rn.Dense(2)], (3,), seed=huge),
    "set_weights": lambda huge: net().set_weights([huge] * 8),
    "threads": lambda huge: net().predict(X, threads=huge),
    "x.0, 2.": lambda huge: net().predict([[1, 2, huge]]),
    "y.39.": lambda huge: net().fit(X, [*Y[:-1], huge]),
}


def optimized(**settings):
    rn.Network([rn.Dense(2)], (3,), optimizer={"type": "adam", **settings})


def run(callback):
    net().fit(X, Y, callbacks=[callback], verbose=0)


def logging(huge):
    return rn.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(new=huge))


def measured(metric):
    net().fit(X, Y, metrics=[("own", metric)], verbose=0)


def backward(gradient):
    model = net()
    model.forward(X)
    model.backward(gradient)


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("name", NUMBERS)
def test_an_integer_beyond_float64_is_refused_by_name(name, digits):
    with pytest.raises(ValueError, match=name) as caught:
        NUMBERS[name](10**digits)
    assert len(str(caught.value)) < 200
