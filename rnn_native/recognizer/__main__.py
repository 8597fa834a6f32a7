"""`python -m rnn_native.recognizer [MODEL]`: opens the window.

Exit codes: 0 closed; 2 cannot start (no display, no Tk, no model); 130 Ctrl-C, 143 SIGTERM.
"""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window, whose signals are this process'; return the exit code."""
    try:
        from rnn_native.base import process
    except KeyboardInterrupt:
        sys.stderr.write("rnn-native: interrupted\n")
        return 130

    def program() -> int:
        from rnn_native.recognizer.program import main

        return main(argv)

    return process.run(program)


if __name__ == "__main__":
    sys.exit(main())
