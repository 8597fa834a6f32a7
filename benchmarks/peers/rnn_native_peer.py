"""rnn_native itself."""

import numpy as np

import rnn_native as rn
from peers.protocol import checkpoints

VERSION = f"rnn_native {rn.__version__}"


def train(job):
    workload, data = job.workload, job.data
    threads = 1 if "alone" in job.options else job.threads
    steps = 0

    def train_epoch(order):
        nonlocal steps
        losses, _ = job.network.native.train(
            *(data.x, data.y, order, workload.batch_size, workload.lr),
            threads=threads,
            step=steps,
        )
        steps += -(-len(order) // workload.batch_size)
        return losses[0] / len(order)

    return train_epoch


def xor(job):
    workload, (x, y), net = job.workload, job.data, job.network
    start = net.params.copy()
    order = np.arange(len(x), dtype="int32")

    def run(epochs):
        net.params[:] = start
        losses, _ = net.native.train(x, y, order, 1, workload.lr, epochs=epochs)
        return [losses[epoch - 1] for epoch in checkpoints(epochs)]

    return run


def predict(job, batches):
    rn.set_num_threads(job.threads)
    return job.network.predict_proba, batches
