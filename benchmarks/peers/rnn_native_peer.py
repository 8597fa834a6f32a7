"""rnn_native itself."""

import rnn_native as rn
from peers.protocol import BATCH_SIZE, HIDDEN, LR

VERSION = f"rnn_native {rn.__version__}"


def prepare(model, data, threads):
    net = rn.Network([rn.Dense(HIDDEN, "relu"), rn.Dense(10)], (784,))
    for parameter, value in zip(net.parameters.values(), data[2:], strict=True):
        parameter[:] = value

    def train_epoch(order):
        loss, _ = net._net.train(data.x, data.y, order, BATCH_SIZE, LR, threads=threads)
        return loss[0] / len(order)

    return train_epoch
