"""Draw attention maps from a text file as the reference system's script of this name does.

python scripts/visualize_attention.py [FILE]

The file is ./logs/attention_weights.txt by default; `rnn-native attention MODEL` writes
it. If that one does not exist, three synthetic maps are written there and drawn, and this is
said. Writes attention_visualization.png and token_0_attention.png into the current folder.
"""

import sys
from pathlib import Path

from rnn_native.__main__ import main
from rnn_native.analysis.attention_text import synthetic_attention, write_attention
from rnn_native.base import outcome

FILE = Path("logs", "attention_weights.txt")


def write_synthetic():
    """Write the synthetic maps where the file should be; return the exit code."""
    try:
        FILE.parent.mkdir(exist_ok=True)
        write_attention(FILE, synthetic_attention(), "synthetic: not from a model")
    except OSError as error:
        return outcome.report(outcome.one_line(error), outcome.FAILED)
    print(f"{FILE} did not exist: wrote three synthetic maps there, not from a model")
    return outcome.OK


if __name__ == "__main__":
    named = sys.argv[1:]
    if not named and not FILE.exists() and (code := write_synthetic()):
        sys.exit(code)
    sys.exit(main(["attention", "--out", ".", *(named or [str(FILE)])]))
