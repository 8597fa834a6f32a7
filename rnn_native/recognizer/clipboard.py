"""The picture that was copied, as gray bytes."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer import opening

if TYPE_CHECKING:
    from PIL.Image import Image


def copied() -> NDArray[np.uint8] | str:
    """Return the copied picture's pixels, or the path of a picture's file that was copied.

    Raises
    ------
    ValueError
        If nothing was copied that is a picture, it is too large, or this system offers no way
        to it.
    """
    from PIL import ImageGrab

    try:
        found = ImageGrab.grabclipboard()
    except NotImplementedError:
        raise ValueError(
            "paste: needs the program wl-paste or xclip (Debian: wl-clipboard, xclip)"
        ) from None
    except (OSError, ChildProcessError):
        found = None  # it holds something else
    if isinstance(found, list) and found:
        return str(found[0])
    if found is None or isinstance(found, list):
        raise ValueError("paste: no picture has been copied")
    picture: Image = found
    return opening.read_copied(picture)
