"""What the core says of a run, as users read it."""

import re


def told(text: str, batch: int, *, done: int) -> str:
    """Return the native message about numbers that are not finite as users read it.

    Parameters
    ----------
    text : str
    batch : int
        Batches of the epoch that were trained in earlier native calls.
    done : int
        Batches of this one that were trained.
    """
    if batch:
        # A call for part of an epoch counts from its own first batch.
        text = re.sub(
            r"batch (\d+) ", lambda found: f"batch {int(found[1]) + batch} ", text, count=1
        )
    if done == 0 and text.startswith("a "):
        found, _ = text.split(";")
        return (
            f"{found}, already before training: an earlier call diverged, or the value was set; "
            "make a new net, or use set_weights and net.optimizer = net.optimizer"
        )
    return text
