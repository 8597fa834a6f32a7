"""A parser of command lines whose errors are fit for a terminal."""

import argparse
from typing import NoReturn

from rnn_native.base.text import printable


class Parser(argparse.ArgumentParser):
    """Escapes control characters: names of files that a shell found may hold them."""

    def error(self, message: str) -> NoReturn:
        """Print usage and the message, and exit with 2."""
        super().error(printable(message))
