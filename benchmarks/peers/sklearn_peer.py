"""scikit-learn's MLPClassifier: one partial_fit an epoch over rows in the given order."""

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from peers.protocol import BATCH_SIZE, HIDDEN, LR

VERSION = f"scikit-learn {sklearn.__version__}"


def prepare(model, data, threads):
    threadpool_limits(threads)
    x, y = data.floats, data.y
    net = MLPClassifier(
        (HIDDEN,),
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=BATCH_SIZE,
        learning_rate_init=LR,
        shuffle=False,
    )
    net.partial_fit(x[:BATCH_SIZE], y[:BATCH_SIZE], classes=np.arange(10))
    net.coefs_[0][:], net.coefs_[1][:] = data.w1, data.w2
    net.intercepts_[0][:], net.intercepts_[1][:] = data.b1, data.b2

    def train_epoch(order):
        net.partial_fit(x[order], y[order])
        return net.loss_

    return train_epoch
