"""Draw the training curves of a run as the reference system's script of this name does.

python scripts/plot_comparison.py [LOG...]

The log is ./logs/training_loss_c.txt by default; any layout of any version will do.
Writes training_comparison.png and prints a summary; `rnn-native plot` is the same with options.
"""

import sys

from rnn_native.__main__ import main

LOG = "./logs/training_loss_c.txt"
TITLE = "MNIST MLP Training Performance"

if __name__ == "__main__":
    sys.exit(main(["plot", "--title", TITLE, *(sys.argv[1:] or [LOG])]))
