"""Pictures to rows of a file: what a worker process of `from_folder` does.

It reads its job from standard input, as JSON, and writes the broken pictures to standard
output.
"""

import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any


def decode(job: dict[str, Any]) -> list[list[Any]]:
    """Decode pictures into an existing file.

    Parameters
    ----------
    job : dict
        root; pictures, pairs of row and path below root; out, the file; begin, its first
        byte of rows; shape of a row, (height, width) or (3, height, width).

    Returns
    -------
    list of [int, str]
        Row and message of each picture that is broken.
    """
    faults: list[list[Any]] = []
    shape, root = tuple(job["shape"]), Path(job["root"])
    with Path(job["out"]).open("r+b") as out:
        for row, name in job["pictures"]:
            try:
                pixels = _pixels(root / name, shape)
            except Exception as error:  # Pillow's readers raise errors of many types
                text = (str(error).splitlines() or [type(error).__name__])[0]
                faults.append([row, f"{root / name}: not a picture, or broken: {text}"])
                continue
            out.seek(job["begin"] + row * math.prod(shape))
            out.write(pixels)
    return faults


def _pixels(path: Path, shape: tuple[int, ...]) -> bytes:
    from PIL import Image

    with warnings.catch_warnings():
        # A picture whose header announces more than memory holds is refused.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            height, width = shape[-2:]
            mode = "RGB" if len(shape) == 3 else "L"
            made = image.convert(mode)
            if made.size != (width, height):
                made = made.resize((width, height), Image.Resampling.BILINEAR)
    if mode == "L":
        return made.tobytes()
    return b"".join(band.tobytes() for band in made.split())


if __name__ == "__main__":
    json.dump(decode(json.load(sys.stdin)), sys.stdout)
