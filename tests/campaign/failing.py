"""The library that lets calls fail, for parts that must be started with it preloaded."""

import contextlib
import ctypes
import errno

import attack

FILES, ALLOCATIONS = 1, 2
# Sanitizers have their own allocators; the two cannot be preloaded together.
LIBRARY = "faults.so"


def preloaded():
    """Start the part's process again with the library, unless it is loaded."""
    if "campaign_arm" in _symbols():
        return
    library = attack.compiled(LIBRARY, "faults.c", "-shared", "-fPIC", "-O2", "-ldl")
    attack.begin_again(LD_PRELOAD=str(library))


def _symbols():
    return {name for name in ("campaign_arm",) if hasattr(ctypes.CDLL(None), name)}


@contextlib.contextmanager
def call_fails(what, number, code=errno.EIO, stays=False):
    """Let a call within the block fail, counted from 1; 0: none, they are only counted."""
    library = ctypes.CDLL(None)
    library.campaign_disarm.restype = ctypes.c_long
    seen = Seen()
    library.campaign_arm(what, ctypes.c_long(number), int(stays), code)
    try:
        yield seen
    finally:
        seen.calls = library.campaign_disarm()
        library.campaign_failed.restype = ctypes.c_char_p
        seen.failed = library.campaign_failed().decode()


class Seen:
    """How many calls there were, and the function whose call failed."""

    calls = 0
    failed = ""


def allocations_of(name):
    """Choose the library whose allocations may fail."""
    if not ctypes.CDLL(None).campaign_library(name.encode()):
        raise RuntimeError(f"{name} is not loaded")
