"""`python -m rnn_native`, and the script `rnn-native`: the command line as a process."""

# PYTHON_ARGCOMPLETE_OK: argcomplete's search for programs that it completes finds this.
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, whose signals are this process'; return its exit code."""
    # A notebook hands its session's choice to commands; files are drawn without a backend.
    os.environ.pop("MPLBACKEND", None)

    def program() -> int:
        from rnn_native.cli import main

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
