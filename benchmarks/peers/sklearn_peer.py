"""scikit-learn's MLPs: one partial_fit an epoch over rows in the given order."""

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

VERSION = f"scikit-learn {sklearn.__version__}"

FUNCTIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


def solver_of(optimizer):
    if optimizer["type"] == "sgd":
        momentum = optimizer.get("momentum", 0.0)
        return {"solver": "sgd", "momentum": momentum, "nesterovs_momentum": False}
    if optimizer["type"] != "adam":
        raise NotImplementedError(f"has no {optimizer['type']}")
    return {
        "solver": "adam",
        **{key: optimizer[key] for key in ("beta_1", "beta_2", "epsilon")},
    }


def function_of(layers):
    """Return the name of the one function that all hidden layers have, ours for it."""
    names = {spec["activation"] for spec, _ in layers[:-1]}
    if len(names) != 1 or not names <= FUNCTIONS.keys():
        raise NotImplementedError(f"has no hidden layers of {', '.join(sorted(names))}")
    return FUNCTIONS[names.pop()]


def build(job):
    """Return the net with the initial weights."""
    threadpool_limits(job.threads)
    workload, params = job.workload, job.dense_parameters
    tells_classes = workload.loss == "softmax_cross_entropy"
    net = (MLPClassifier if tells_classes else MLPRegressor)(
        hidden_layer_sizes=[len(p["bias"]) for p in params[:-1]],
        activation=function_of(job.layers),
        alpha=0,
        batch_size=workload.batch_size,
        learning_rate_init=workload.lr,
        shuffle=False,
        **solver_of(workload.optimizer),
    )
    rows = slice(workload.batch_size)
    classes = {"classes": np.arange(len(params[-1]["bias"]))} if tells_classes else {}
    net.partial_fit(rows_of(job)[rows], targets_of(job)[rows], **classes)
    for weight, bias, p in zip(net.coefs_, net.intercepts_, params, strict=True):
        weight[:], bias[:] = p["weight"], p["bias"]
    del net._optimizer  # its moments, too, begin now
    return net


def rows_of(job):
    return job.images.reshape(len(job.images), -1)


def targets_of(job):
    y = job.data.y
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def train(job):
    net, x, y = build(job), rows_of(job), targets_of(job)
    # Of values it reports half of the mean over rows and outputs, we the sum over outputs.
    outputs = 1 if y.ndim == 1 else y.shape[1]
    factor = job.workload.loss_factor * outputs

    def train_epoch(order):
        net.partial_fit(x[order], y[order])
        return factor * net.loss_

    return train_epoch


def predict(job, batches):
    net = build(job)
    call = net.predict_proba if hasattr(net, "predict_proba") else net.predict
    return call, [x.reshape(len(x), -1) for x in batches]
