"""scikit-learn's MLPClassifier: one partial_fit an epoch over rows in the given order."""

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

VERSION = f"scikit-learn {sklearn.__version__}"


def build(job):
    """Return the classifier with the initial weights."""
    threadpool_limits(job.threads)
    workload = job.workload
    params = job.dense_parameters
    net = MLPClassifier(
        [len(p["bias"]) for p in params[:-1]],
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=workload.batch_size,
        learning_rate_init=workload.lr,
        shuffle=False,
    )
    rows = slice(workload.batch_size)
    net.partial_fit(job.images[rows], job.data.y[rows], classes=np.arange(10))
    for weight, bias, p in zip(net.coefs_, net.intercepts_, params, strict=True):
        weight[:], bias[:] = p["weight"], p["bias"]
    return net


def train(job):
    net, x, y = build(job), job.images, job.data.y

    def train_epoch(order):
        net.partial_fit(x[order], y[order])
        return net.loss_

    return train_epoch


def predict(job, batches):
    return build(job).predict_proba, batches
