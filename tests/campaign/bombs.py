"""Small files that claim, or expand to, a lot: read or refused in bounded memory and time."""

import gzip
import io
import json
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np

import attack
import rnn_native as rn
from rnn_native.net import model_file

COUNTS = (1, 3, 4)  # sizes of each, twice as large each
MOST_MEMORY = 300 << 20
MOST_SECONDS = 20


def run(count, seed):
    outcome = attack.Outcome()
    for scale in range(count):
        for name, write, read in _bombs(2**scale):
            path = Path(name.replace(" ", "-"))
            write(path)
            found = attack.in_fork(_read, read, path, timeout=4 * MOST_SECONDS)
            path.unlink()
            what = f"{name}, scale {2**scale}"
            if "ended" in found:
                outcome.fault(f"{what}: {found['ended']}")
            elif found["fault"]:
                outcome.fault(f"{what}: {found['fault']}")
            else:
                outcome.add(found["how"])
                most = max(outcome.counts["MB at most"], found["memory"] >> 20)
                outcome.counts["MB at most"] = most
    return outcome


def _read(read, path):
    how, fault = "read", None
    before, begin = attack.peak_of_this_process(), time.monotonic()
    # What is far beyond any bound ends here, not in the machine.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    try:
        read(path)
    except (ValueError, OSError) as error:
        how, wrong = "refused", attack.not_one_line(error)
        fault = wrong and f"{attack.named(error)} {wrong}"
    except BaseException as error:
        fault = f"undeclared {attack.named(error)}"
    memory, seconds = attack.peak_of_this_process() - before, time.monotonic() - begin
    if fault is None and memory > MOST_MEMORY:
        fault = f"takes {memory >> 20} MB"
    if fault is None and seconds > MOST_SECONDS:
        fault = f"takes {seconds:.0f} s"
    return {"how": how, "fault": fault, "memory": memory}


def _bombs(scale):
    """Name, writer and reader of each; `scale` makes the claims larger."""
    from rnn_native.recognizer.opening import read_picture

    million = 1_000_000 * scale
    rows = {"layers": [{"type": "dense", "units": 30_000 * scale}], "input_shape": [30_000]}
    return [
        ("thin picture", _png(1, million), read_picture),
        ("wide picture", _png(million, 1), read_picture),
        ("square picture", _png(7_000 * scale, 7_000 * scale), read_picture),
        ("many frames", _frames(200 * scale), read_picture),
        ("packed idx.gz", _packed(500 * million, claimed=28), rn.idx.read_idx),
        ("packed claim.gz", _packed(1000, claimed=500 * million), rn.idx.read_idx),
        ("sparse idx", _sparse(_idx(3_000 * million), 3_000 * million), rn.idx.read_idx),
        (
            "sparse npy",
            _sparse(_npy(500 * million), 2000 * million),
            rn.npy_folder.read_npy,
        ),
        ("sparse log", _sparse(b"epoch,loss\n", 500 * million), rn.read_log),
        (
            "long log",
            _bytes(b"1,0.5,0.5\n" * min(20 * million // 10, 6_000_000)),
            rn.read_log,
        ),
        ("sparse csv", _sparse(b"1,2,3\n", 500 * million), rn.csv_digits.load_csv),
        ("sparse model", _sparse(_tensors(2000 * million), 2000 * million), rn.load),
        ("large model", _model(rows), rn.load),
        ("deep json", _bytes(b"[" * million), rn.load_config),
        ("deep architecture", _bytes(_deep(50 * scale)), rn.architecture.load_architecture),
        ("wide json", _bytes(b"[" + b"{}," * million + b"{}]"), rn.load_config),
        (
            "large layers",
            _bytes(json.dumps(rows).encode()),
            rn.architecture.load_architecture,
        ),
    ]


def _bytes(data):
    return lambda path: path.write_bytes(data)


def _sparse(head, size):
    def write(path):
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + size)

    return write


def _png(width, height):
    """A picture of zeros, packed line by line."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    def write(path):
        packer = zlib.compressobj(9)
        rows = max(1, (1 << 24) // (width + 1))
        counts = [min(rows, height - begin) for begin in range(0, height, rows)]
        parts = [packer.compress(bytes((width + 1) * count)) for count in counts]
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        data = b"".join([*parts, packer.flush()])
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)

    return write


def _frames(count):
    def write(path):
        from PIL import Image

        pictures = [Image.new("L", (2000, 2000), i % 7) for i in range(3)] * (count // 3)
        pictures[0].save(path, "gif", save_all=True, append_images=pictures[1:])

    return write


def _idx(rows):
    return struct.pack(">II", 0x00000801, rows & 0xFFFFFFFF)


def _packed(size, claimed):
    def write(path):
        with gzip.open(path, "wb", 1) as file:
            file.write(_idx(claimed))
            for _ in range(size // (1 << 20)):
                file.write(bytes(1 << 20))

    return write


def _npy(count):
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def _tensors(size):
    header = {"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def _model(architecture):
    def write(path):
        net = rn.Network([rn.Dense(2)], (2,))
        tensors, metadata = model_file.content_of(net, None, optimizer_state=False)
        metadata["architecture"] = {**metadata["architecture"], **architecture}
        model_file.write(path, tensors, metadata)

    return write


def _deep(depth):
    layer = '{"type": "dense", "units": 2}'
    begin, end = '{"type": "residual", "layers": [', '], "skip": []}'
    return (
        f'{{"input_shape": [2], "layers": [{begin * depth}{layer}{end * depth}]}}'.encode()
    )
