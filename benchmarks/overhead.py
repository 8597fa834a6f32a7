"""What `fit` takes beyond its native epochs: `python benchmarks/overhead.py [--rounds 5]`.

A round is `Network.fit` of the MNIST MLP over ten epochs; native is what the core's calls took,
as the history has it.
"""

import argparse
import time

from report import machine, spread
from workloads import MLP, load

EPOCHS = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    data, beyond = load("mnist"), []
    for _ in range(args.rounds):
        net = MLP.network()
        start = time.perf_counter()
        history = net.fit(
            data.x, data.y, batch_size=MLP.batch_size, epochs=EPOCHS, verbose=0
        )
        whole = time.perf_counter() - start
        beyond.append(100 * (whole / sum(history.history["time"]) - 1))
    print(f"{machine()}\n\nfit beyond its native epochs: {spread(beyond)} %")


if __name__ == "__main__":
    main()
