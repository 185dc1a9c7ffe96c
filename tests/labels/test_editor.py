"""Drawing on a face: what a mouse and keys do, told as sequences of what a hand does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.labels import EXCLUDE, INCLUDE, Label, Shape
from mien.labels.drawing import Drawing, carried
from mien.labels.editor import HELP, Editor, Mouse
from mien.labels.screen import LINE, Screen
from mien.labels.view import View
from mien.testing.fakes import face_at

SIZE, SIDE = 32, 320


class Hand:
    """A hand at an editor of a crop of 32 pixels in a window of 320."""

    def __init__(self, label: Label | None = None, **more: object) -> None:
        self.editor = Editor(Drawing(label, SIZE), View(SIZE, SIDE), **more)  # type: ignore[arg-type]

    def move(self, x: int, y: int) -> None:
        self.editor.feel(Mouse(what="move", x=x, y=y))

    def click(self, x: int, y: int, button: str = "left", **held: bool) -> None:
        self.editor.feel(Mouse(what="press", x=x, y=y, button=button, **held))  # type: ignore[arg-type]
        self.editor.feel(Mouse(what="release", x=x, y=y, button=button))  # type: ignore[arg-type]

    def drag(self, start: tuple[int, int], end: tuple[int, int], button: str = "left") -> None:
        self.editor.feel(Mouse(what="press", x=start[0], y=start[1], button=button))  # type: ignore[arg-type]
        for share in (0.3, 0.7, 1.0):
            x, y = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
            self.move(x, y)
        self.editor.feel(Mouse(what="release", x=end[0], y=end[1], button=button))  # type: ignore[arg-type]

    def keys(self, *names: str) -> None:
        for name in names:
            assert self.editor.press(name), name

    def square(self, low: int = 80, high: int = 240) -> None:
        """Clicks a square of the window, and closes it by a click near its first corner."""
        for x, y in ((low, low), (high, low), (high, high), (low, high)):
            self.click(x, y)
        self.click(low + 4, low - 3)

    @property
    def corners(self) -> list[list[tuple[int, int]]]:
        """Of all shapes, in pixels of the window."""
        shown = self.editor.view.to_window
        return [
            [tuple(place) for place in np.rint(shown(each.points)).astype(int).tolist()]
            for each in self.editor.drawing.outlines
        ]


def test_clicks_make_a_shape_at_their_places():
    hand = Hand()
    hand.square()
    assert hand.corners == [[(80, 80), (240, 80), (240, 240), (80, 240)]]
    label = hand.editor.drawing.label
    assert (label.size, label.includes, label.excludes) == (SIZE, 1, 0)
    np.testing.assert_allclose(label.shapes[0].points[0], (8.05, 8.05))
    assert hand.editor.drawing.changed


def test_the_next_shape_excludes_and_a_shape_turns_under_the_mouse():
    hand = Hand()
    hand.square()
    hand.keys("e")
    for x, y in ((120, 120), (200, 120), (200, 200)):
        hand.click(x, y)
    hand.keys("Enter")
    assert [each.label for each in hand.editor.drawing.outlines] == [INCLUDE, EXCLUDE]
    hand.move(180, 140)
    hand.keys("t")
    hand.move(100, 220)
    hand.keys("t")
    assert [each.label for each in hand.editor.drawing.outlines] == [EXCLUDE, INCLUDE]
    hand.move(5, 5)
    hand.keys("t")
    assert [each.label for each in hand.editor.drawing.outlines] == [EXCLUDE, INCLUDE]


def test_a_corner_is_dragged_and_one_undo_takes_the_whole_way_back():
    hand = Hand()
    hand.square()
    hand.drag((243, 238), (300, 310))
    assert hand.corners[0][2] == (300, 310)
    hand.keys("u")
    assert hand.corners[0][2] == (240, 240)
    hand.keys("r")
    assert hand.corners[0][2] == (300, 310)


def test_an_edge_gives_a_new_corner_that_follows_the_mouse():
    hand = Hand()
    hand.square()
    hand.drag((160, 82), (160, 40))
    assert hand.corners == [[(80, 80), (160, 40), (240, 80), (240, 240), (80, 240)]]
    hand.drag((80, 160), (30, 160))  # the edge from the last corner to the first
    assert hand.corners[0][-1] == (30, 160)


def test_with_shift_a_click_on_an_edge_or_corner_begins_a_shape():
    hand = Hand()
    hand.square()
    for x, y in ((160, 80), (240, 80), (200, 10)):
        hand.click(x, y, shift=True)
    hand.keys("Enter")
    assert hand.corners[1] == [(160, 80), (240, 80), (200, 10)]
    assert len(hand.corners[0]) == 4


def test_corners_and_shapes_are_taken_away():
    hand = Hand()
    hand.square()
    hand.click(240, 240, "right")
    assert len(hand.corners[0]) == 3
    hand.click(240, 80, "right")  # two corners are no shape
    assert hand.corners == []
    hand.keys("u")
    hand.move(120, 100)
    hand.keys("Delete")
    assert hand.corners == []
    hand.keys("u", "u")
    hand.move(80, 80)
    hand.keys("Delete")
    assert len(hand.corners[0]) == 3
    hand.click(5, 300, "right")
    hand.keys("x", "x")
    assert hand.editor.drawing.label is None
    hand.keys("u")
    assert len(hand.corners[0]) == 3


def test_an_open_line_is_mended_dropped_and_found_again():
    hand = Hand()
    for x, y in ((10, 10), (90, 10), (90, 90), (300, 300)):
        hand.click(x, y)
    hand.click(310, 200, "right")
    assert len(hand.editor.drawing.line) == 3
    hand.keys("BackSpace")
    hand.drag((90, 12), (60, 60))  # its second corner
    assert hand.editor.drawing.line[1] == pytest.approx((6.05, 6.05))
    hand.keys("Enter")  # two corners are not enough: nothing is lost
    assert len(hand.editor.drawing.line) == 2
    hand.keys("Escape")
    assert hand.editor.drawing.line == ()
    hand.keys("u")
    assert len(hand.editor.drawing.line) == 2
    assert not hand.editor.drawing.changed


def test_a_shape_that_only_lacks_its_end_is_not_lost_when_the_face_is_left():
    hand = Hand()
    for x, y in ((10, 10), (90, 10), (90, 90)):
        hand.click(x, y)
    hand.editor.finish()
    assert len(hand.corners) == 1
    hand.click(200, 200)
    hand.editor.finish()
    assert len(hand.corners) == 1


def test_undo_reaches_back_to_what_was_there_and_no_further():
    there = Label(size=SIZE, shapes=(Shape(INCLUDE, np.array([(1.0, 1), (9, 1), (9, 9)])),))
    hand = Hand(there)
    hand.square(160, 280)
    assert hand.editor.drawing.changed
    for _ in range(9):
        hand.keys("u")
    assert hand.editor.drawing.label.plain() == there.plain()
    assert not hand.editor.drawing.changed
    for _ in range(9):
        hand.keys("r")
    assert len(hand.corners) == 2
    hand.editor.drawing.saved()
    assert not hand.editor.drawing.changed
    hand.keys("u")
    assert hand.editor.drawing.changed


def test_a_held_corner_that_stays_is_no_change():
    hand = Hand()
    hand.square()
    hand.click(240, 240)
    hand.keys("u")  # takes the closing back, not the click
    assert hand.corners == []
    assert len(hand.editor.drawing.line) == 4


def test_the_drawing_of_another_face_is_copied_and_undone():
    other = Label(size=SIZE, shapes=(Shape(EXCLUDE, np.array([(1.0, 1), (9, 1), (9, 9)])),))
    hand = Hand(copied=other)
    hand.square()
    hand.keys("c")
    assert [each.label for each in hand.editor.drawing.outlines] == [EXCLUDE]
    hand.keys("u")
    assert [each.label for each in hand.editor.drawing.outlines] == [INCLUDE]
    alone = Hand()
    alone.keys("c")
    assert alone.corners == []


def test_a_copied_drawing_goes_where_the_face_is():
    points = face_at(20, 18, 20).landmarks
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    becomes = (points @ turn.T * 2 + (30, -4)).astype(np.float32)
    drawn = np.array([(4.0, 4.0), (30.0, 5.0), (20.0, 28.0)])
    made = carried(Label(size=40, shapes=(Shape(INCLUDE, drawn),)), points, 96, becomes)
    assert made.size == 96
    np.testing.assert_allclose(made.shapes[0].points, drawn @ turn.T * 2 + (30, -4), atol=1e-3)
    nowhere = carried(made, np.zeros((68, 2), np.float32), 96, becomes)
    assert np.isfinite(nowhere.shapes[0].points).all()


# --- the view -----------------------------------------------------------------------------------


def test_the_wheel_keeps_what_is_under_the_mouse_where_it_is():
    hand = Hand()
    before = hand.editor.view.to_crop(250, 70)
    for _ in range(5):
        hand.editor.feel(Mouse(what="wheel", x=250, y=70, turn=1))
    assert hand.editor.view.zoom == pytest.approx(1.25**5)
    assert hand.editor.view.to_crop(250, 70) == pytest.approx(before)
    assert hand.editor.view.to_window([before])[0] == pytest.approx((250, 70))
    hand.click(250, 70)
    assert hand.editor.drawing.line[0] == pytest.approx(before)
    hand.keys("0")
    assert hand.editor.view.zoom == 1
    assert hand.editor.view.to_crop(-0.5, -0.5) == (0, 0)


def test_the_view_is_dragged_and_never_leaves_the_face():
    hand = Hand()
    hand.move(160, 160)
    hand.keys("+", "+", "+", "+")
    corner = hand.editor.view.to_crop(0, 0)
    hand.drag((100, 100), (120, 130), "middle")
    moved = hand.editor.view.to_crop(0, 0)
    assert np.subtract(corner, moved) == pytest.approx(np.array((20, 30)) / hand.editor.view.scale)
    hand.editor.feel(Mouse(what="press", x=9, y=9, button="left", control=True))
    hand.move(5000, -5000)
    hand.editor.feel(Mouse(what="release", x=9, y=9, button="left"))
    x, y = hand.editor.view.to_crop(-0.5, SIDE - 0.5)
    assert (x, y) == pytest.approx((0, SIZE))
    hand.keys("Left", "Up", "Right", "Down")
    for _ in range(60):
        hand.keys("+")
    assert hand.editor.view.scale == pytest.approx(40)
    for _ in range(90):
        hand.keys("-")
    assert hand.editor.view.zoom == 1
    assert hand.editor.drawing.line == ()


# --- the picture --------------------------------------------------------------------------------


def screen(hand: Hand, size: int = SIZE, dtype: type = np.uint8) -> np.ndarray:
    grey = np.full((size, size, 3), np.iinfo(dtype).max // 2, dtype)
    return Screen(grey).draw(hand.editor, "1/9 a face.jpg")


def test_the_picture_shows_face_shapes_and_words():
    hand = Hand()
    hand.square()
    seen = screen(hand)
    assert seen.shape == (SIDE + LINE, SIDE, 3)
    assert seen[160, 80].tolist() == [0, 230, 0]  # its left edge is green
    assert seen[20, 20].tolist() == [127, 127, 127]
    assert seen[SIDE:].max() > 200
    hand.keys("m")
    dark = screen(hand)
    assert dark[20, 20].tolist() == [38, 38, 38]
    assert dark[160, 160].tolist() == [127, 127, 127]
    hand.keys("m")
    assert (screen(hand)[:SIDE] == 127).all()
    hand.keys("h")
    assert screen(hand)[:SIDE].max() > 200
    hand.keys("Escape")
    assert not hand.editor.helps


def test_the_line_and_what_comes_next_are_shown():
    hand = Hand()
    hand.click(100, 100)
    hand.move(200, 100)
    seen = screen(hand)
    assert seen[100, 150].min() > 200
    assert seen[100, 101].tolist() == [0, 230, 0]


@pytest.mark.parametrize("size", [32, 300, 700])
@pytest.mark.parametrize("turns", [0, 3, 40])
def test_every_size_and_zoom_has_a_picture(size, turns):
    editor = Editor(Drawing(None, size), View(size, 256))
    for _ in range(turns):
        editor.feel(Mouse(what="wheel", x=100, y=90, turn=1))
    image = np.zeros((size, size, 3), np.uint16)
    image[size // 2 :] = 65535
    seen = Screen(image).draw(editor, "x" * 300)
    assert seen.shape == (256 + LINE, 256, 3)
    assert seen.dtype == np.uint8


def test_a_pixel_of_the_face_lies_where_its_place_is_said_to_be():
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[11, 20] = 255
    hand = Hand()
    for _ in range(4):
        hand.editor.feel(Mouse(what="wheel", x=205, y=115, turn=1))
    seen = Screen(image).draw(hand.editor, "")[:SIDE, :, 0]
    rows, columns = np.nonzero(seen > 128)
    middle = hand.editor.view.to_crop(columns.mean(), rows.mean())
    assert middle == pytest.approx((20.5, 11.5), abs=0.05)


MOUSE = st.builds(
    Mouse,
    what=st.sampled_from(["press", "move", "release", "wheel"]),
    x=st.integers(-20, 300),
    y=st.integers(-20, 300),
    button=st.sampled_from(["left", "middle", "right", ""]),
    turn=st.integers(-2, 2),
    shift=st.booleans(),
    control=st.booleans(),
)
KEYS = ("Enter", "Escape", "BackSpace", "Delete", *"ieturxcmh+-0", "Left", "Up", "?", "")


@given(done=st.lists(MOUSE | st.sampled_from(KEYS), max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_hands_do_there_is_a_drawing_a_picture_and_a_way_back(done):
    editor = Editor(Drawing(None, SIZE), View(SIZE, 256))
    for each in done:
        if isinstance(each, Mouse):
            editor.feel(each)
        else:
            editor.press(each)
    Screen(np.zeros((SIZE, SIZE, 3), np.uint8)).draw(editor, "words")
    assert all(len(each.points) >= 3 for each in editor.drawing.outlines)
    while editor.drawing.undo():
        pass
    assert editor.drawing.label is None


def test_every_key_of_the_help_means_something():
    hand = Hand()
    keys = {key for keys, _ in HELP for key in keys.split() if len(key) == 1}
    assert keys - set("dansq") == {key for key in keys if hand.editor.press(key)}
