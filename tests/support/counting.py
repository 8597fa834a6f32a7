"""Coverage of children of fork: gcov and coverage write their counts where a process exits."""

import ctypes
import os


def count_forks():
    """Let os._exit leave by C's exit, from which on gcov writes, and save coverage's data."""

    def leave(code):
        try:
            import coverage

            if current := coverage.Coverage.current():
                current.save()
        except ImportError:
            pass  # gcov alone
        ctypes.CDLL(None).exit(code)

    os._exit = leave
