"""The canvas' content: gestures, undo and redo, and its JSON."""

import numpy as np
import pytest

from rnn_native import FormatError
from rnn_native.recognizer import drawing
from rnn_native.recognizer.drawing import Drawing


def draw(on, *points, width=20):
    on.begin(*points[0], width)
    for point in points[1:]:
        on.extend(*point)
    on.end()


def shown(on):
    return [stroke.points.tolist() for stroke in on.strokes]


def test_a_stroke_grows_while_the_pen_is_down():
    d = Drawing()
    d.begin(1, 2, 20)
    assert shown(d) == [[[1, 2]]]
    d.extend(3, 4)
    d.extend(3, 4)  # the pointer rests
    assert shown(d) == [[[1, 2], [3, 4]]]
    assert d.strokes[0].width == 20
    d.end()
    assert shown(d) == [[[1, 2], [3, 4]]]


def test_moving_without_pen_draws_nothing():
    d = Drawing()
    d.extend(3, 4)
    d.end()
    assert not d.strokes
    assert not d.can_undo


def test_a_click_is_a_dot():
    d = Drawing()
    draw(d, (5, 5))
    assert shown(d) == [[[5, 5]]]


def test_undo_takes_back_whole_gestures_and_redo_does_them_again():
    d = Drawing()
    draw(d, (0, 0), (10, 0))
    draw(d, (0, 5), (10, 5), (10, 9))
    d.clear()
    states = []
    while d.can_undo:
        states.append(shown(d))
        d.undo()
    states.append(shown(d))
    first, second = [[0, 0], [10, 0]], [[0, 5], [10, 5], [10, 9]]
    assert states == [[], [first, second], [first], []]
    d.redo()
    d.redo()
    assert shown(d) == [first, second]
    d.redo()
    assert shown(d) == []
    assert not d.can_redo


def test_undo_and_redo_of_nothing_do_nothing():
    d = Drawing()
    d.undo()
    d.redo()
    assert shown(d) == []


def test_a_new_gesture_ends_redo():
    d = Drawing()
    draw(d, (0, 0), (1, 1))
    d.undo()
    draw(d, (2, 2), (3, 3))
    assert not d.can_redo
    d.redo()
    assert shown(d) == [[[2, 2], [3, 3]]]


def test_undo_in_a_stroke_ends_it_first():
    d = Drawing()
    d.begin(0, 0, 20)
    d.undo()
    d.extend(9, 9)
    assert shown(d) == []


def test_erasing_is_one_gesture():
    d = Drawing()
    draw(d, (0, 0), (100, 0))
    d.begin_erasing()
    d.erase(30, 0, 10)
    d.erase(70, 0, 10)
    d.end_erasing()
    assert [s.points[[0, -1], 0].tolist() for s in d.strokes] == [
        [0, 20],
        [40, 60],
        [80, 100],
    ]
    d.undo()
    assert shown(d) == [[[0, 0], [100, 0]]]


def test_erasing_nothing_is_no_gesture():
    d = Drawing()
    draw(d, (0, 0), (100, 0))
    d.begin_erasing()
    d.erase(50, 50, 10)
    d.end_erasing()
    d.undo()
    assert shown(d) == []


def test_clearing_an_empty_canvas_is_no_gesture():
    d = Drawing()
    d.clear()
    assert not d.can_undo


def test_json_gives_the_same_strokes(tmp_path):
    d = Drawing()
    draw(d, (0.5, 1), (2, 3), width=12)
    draw(d, (7, 7), width=30)
    path = tmp_path / "drawing.json"
    path.write_text(drawing.to_json(d.strokes))
    again = drawing.from_json(path)
    assert [s.width for s in again] == [12, 30]
    for stroke, before in zip(again, d.strokes, strict=True):
        np.testing.assert_array_equal(stroke.points, before.points)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        '{"strokes": 3}',
        '{"strokes": [{"points": [[1, 2]]}]}',
        '{"strokes": [{"points": [], "width": 3}]}',
        '{"strokes": [{"points": [[1, "a"]], "width": 3}]}',
        '{"strokes": [{"points": [[1, NaN]], "width": 3}]}',
        '{"strokes": [{"points": [[1, 2]], "width": -3}]}',
        '{"strokes": [{"points": [[1, 2]], "width": 1%s}]}' % ("0" * 400),
        '{"strokes": [{"points": [[1%s, 2]], "width": 3}]}' % ("0" * 400),
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_other_files_are_refused_by_name(tmp_path, text):
    path = tmp_path / "drawing.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FormatError, match=r"drawing\.json': expected a drawing"):
        drawing.from_json(path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "drawing.json"
    with open(path, "wb") as file:
        file.truncate(drawing.MOST_JSON_BYTES + 1)
    with pytest.raises(FormatError, match="expected at most 10000000 bytes, got 10000001"):
        drawing.from_json(path)
