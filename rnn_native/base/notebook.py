"""Whether the code runs in a notebook."""

import sys


def in_notebook() -> bool:
    """Return whether this is a notebook: IPython with a kernel, which shows HTML."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and getattr(get_shell(), "kernel", None) is not None
