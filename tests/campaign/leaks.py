"""Calls in loops, failing ones too: no memory, block or file may be left behind.

After a warm-up each call is made in three rounds; what grows in every one of them is a leak.
"""

import gc
import itertools
import os
import sys
from pathlib import Path

import numpy as np

import attack
import rnn_native as rn

COUNTS = (150, 1_500, 20_000)  # calls a round
ROUNDS = 4
NOISE = 100  # blocks that the interpreter itself takes in a round
MOST_GROWTH = 2 << 20  # bytes of resident memory from the first round to the last


def run(count, seed):
    outcome = attack.Outcome()
    for name, call in _calls().items():
        outcome.take(attack.in_fork(_rounds, name, call, count, timeout=3600))
    return outcome


def _rounds(name, call, count):
    outcome, seen = attack.Outcome(), []
    for _ in range(max(200, count // 4)):
        call()
    for _ in range(ROUNDS):
        for _ in range(count):
            call()
        gc.collect()
        seen.append(
            (sys.getallocatedblocks(), _resident(), len(os.listdir("/proc/self/fd")))
        )
    outcome.cases += ROUNDS * count - 1
    blocks, memory, files = zip(*seen, strict=True)
    if all(b > a + NOISE + count // 20 for a, b in itertools.pairwise(blocks)):
        outcome.fault(f"{name}: blocks {blocks}")
    elif _grows(files):
        outcome.fault(f"{name}: open files {files}")
    elif _grows(memory) and memory[-1] - memory[0] > MOST_GROWTH:
        outcome.fault(f"{name}: resident bytes {memory}")
    else:
        outcome.add("made")
        outcome.counts["made"] += ROUNDS * count - 1
    return outcome.as_dict()


def _grows(values):
    return all(b > a for a, b in itertools.pairwise(values))


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _calls():
    x, y = attack.digits()
    x = x.astype(np.float32) / 255
    layers = attack.small_layers()
    net = rn.Network(layers, (1, 8, 8), seed=1, optimizer="adam")
    net.save("model")
    Path("damaged").write_bytes(Path("model").read_bytes()[:-1] + b"?")
    rn.idx.write_idx("images", (255 * x[:, 0]).astype(np.uint8))
    labels_beyond = np.full(len(y), 9)

    def refused(call, *arguments, **options):
        def tried():
            try:
                call(*arguments, **options)
            except (ValueError, TypeError, OSError):
                return
            raise AssertionError("was not refused")

        return tried

    return {
        "make": lambda: rn.Network(layers, (1, 8, 8), seed=1),
        "make, refused": refused(rn.Network, [rn.Conv2D(3, 9)], (1, 4, 4)),
        "fit": lambda: net.fit(x, y, verbose=0),
        "fit, labels refused": refused(net.fit, x, labels_beyond, verbose=0),
        "predict": lambda: net.predict(x, threads=2),
        "predict, refused": refused(net.predict, x[:, :, 1:]),
        "evaluate": lambda: net.evaluate(x, y),
        "step": lambda: net.backward(np.ones_like(net.forward(x))),
        "save and load": lambda: (net.save("saved"), rn.load("saved")),
        "load, refused": refused(rn.load, "damaged"),
        "save, refused": refused(net.save, "no/such/folder/model"),
        "images": lambda: rn.idx.read_idx("images"),
        "clone": lambda: net.clone(),
        "architecture, refused": refused(
            rn.architecture.parse_architecture,
            {"layers": [{"type": "x"}], "input_shape": [1]},
        ),
    }
