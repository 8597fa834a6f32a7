"""Valid files changed at random: as bytes, as text, as JSON, or with a right checksum."""

import copy
import json

# Numbers at the borders of types, as bytes of either order.
BORDERS = [
    value.to_bytes(size, order, signed=value < 0)
    for size in (1, 2, 4, 8)
    for value in (0, -1, 1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)))
    for order in ("little", "big")
]
WORDS = [
    b"-1", b"0", b"1e999", b"NaN", b"nan", b"inf", b"-inf", b"9" * 30, b"2147483648", b"1.5",
    b"0x10", b"true", b"null", b'""', b"[]", b"{}", b"[" * 50, b"\x00", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\x1b[31m", b"\r", b"\n", b"\n\n", b",", b",,,,", b'"', b"'", b"\\", b":",
    b"\t", b"\xe2\x80\xae", b"#", b";",
]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 2**31 - 1, 2**31, 2**63, -(2**63), 10**40, 10**400,
    0.5, -0.5, 1e-300, 1e300, float("inf"), float("nan"), "", "x", "relu", "\x1b[31mred",
    "a\nb", "\ud800", "x" * 300, [], {}, [[]], [0], [1, 2], [-1], ["x"], {"type": "dense"},
    {"x": 1}, [None],
]  # fmt: skip


def mutated_bytes(data, rng, others=()):
    """Bytes with one to four changes; `others` are files of which pieces may be taken."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        _BYTES[rng.randrange(len(_BYTES))](data, rng, others)
    return bytes(data)


def _place(data, rng):
    """Anywhere, and the first bytes more often: there are the headers."""
    most = min(len(data), 64) if rng.random() < 0.4 else len(data)
    return rng.randrange(most + 1)


def _piece(data, rng):
    begin = _place(data, rng)
    return slice(begin, begin + 1 + min(rng.randrange(1, 65), rng.randrange(1, 65)))


def _flip(data, rng, others):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(data, rng, others):
    if data:
        data[min(_place(data, rng), len(data) - 1)] = rng.randrange(256)


def _border(data, rng, others):
    at, value = _place(data, rng), rng.choice(BORDERS)
    data[at : at + len(value)] = value


def _word(data, rng, others):
    at = _place(data, rng)
    data[at : at + rng.choice([0, 1, 2, 4])] = rng.choice(WORDS)


def _cut(data, rng, others):
    del data[rng.randrange(len(data) + 1) :]


def _remove(data, rng, others):
    del data[_piece(data, rng)]


def _repeat(data, rng, others):
    piece = _piece(data, rng)
    data[piece] = data[piece] * rng.choice([2, 2, 3, 40])


def _move(data, rng, others):
    piece = data[_piece(data, rng)]
    at = _place(data, rng)
    data[at:at] = piece


def _other(data, rng, others):
    if others:
        other = rng.choice(others)
        piece = _piece(other, rng)
        data[piece] = other[piece]


def _noise(data, rng, others):
    data[_piece(data, rng)] = rng.randbytes(rng.randrange(1, 65))


def _end(data, rng, others):
    data += rng.choice([b"\x00", b"\n", rng.randbytes(7), bytes(1000)])


_BYTES = [_flip, _set, _border, _word, _cut, _remove, _repeat, _move, _other, _noise, _end]


def mutated_json(value, rng):
    """JSON with one to three values, keys or items changed."""
    holder = [copy.deepcopy(value)]
    for _ in range(rng.choice([1, 1, 2, 3])):
        places = list(_places(holder))
        _change(*rng.choice(places), rng)
    return holder[0]


def _places(container):
    """All pairs of a container and a key or index within it, from the outside in."""
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in list(items):
        yield container, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _change(container, key, rng):
    try:
        value = container[key]
    except (KeyError, IndexError):
        return
    kind = rng.randrange(6)
    if kind == 0 and len(container) > 1:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[rng.choice(["x", "", "type", "\x1b[0m", key + "s"])] = container.pop(key)
    elif kind == 2 and isinstance(container, list):
        container.insert(key, copy.deepcopy(rng.choice([value, *VALUES])))
    elif kind == 3 and type(value) in (int, float) and abs(value) < 1e300:
        container[key] = rng.choice(
            [value + 1, value - 1, -value, value * 1000, float(value)]
        )
    elif kind == 4 and isinstance(value, str):
        container[key] = rng.choice(
            [value + " ", value.upper(), value[:-1], value * 2, [value]]
        )
    else:
        container[key] = copy.deepcopy(rng.choice(VALUES))


def json_bytes(value):
    """JSON as files hold it, with what only some parsers take."""
    return json.dumps(value).encode()
