"""`python -m rnn_native.recognizer [MODEL]`: opens the window.

Exit codes: 0 closed; 2 cannot start (no display, no Tk, no model); 130 Ctrl-C, 143 SIGTERM.
"""

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window, whose signals are this process'; return the exit code."""

    def program() -> int:
        from rnn_native.recognizer.program import main

        return main(argv)

    try:
        from rnn_native.base import process

        return process.run(program)
    except KeyboardInterrupt:
        # Before there is a handler. A second one would kill the interpreter while it ends.
        try:
            os.write(2, b"rnn-native: interrupted\n")
        finally:
            os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
