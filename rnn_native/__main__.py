"""`python -m rnn_native`: the command line."""

import sys

from rnn_native.cli import main

if __name__ == "__main__":
    sys.exit(main())
