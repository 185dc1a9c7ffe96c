"""The window to draw in: what it hears from Tk, and what becomes of the faces.

There is no display where this runs: Tk, or the hand in the window, is played."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mien.config import Config
from mien.errors import ConfigError, InputError, OutputError
from mien.faceset import FaceRecord, read_file, with_record, write_face
from mien.geometry import crop_matrix, transform
from mien.jobs import label_window
from mien.jobs.label_window import draw_labels
from mien.jobs.run import Run, make_run
from mien.labels import (
    INCLUDE,
    Label,
    Shape,
    label_path,
    read_label,
    with_polygons,
    write_label,
)
from mien.labels import window as room
from mien.labels.editor import Mouse
from mien.labels.window import TkWindow, key_name
from mien.registry import Registry
from mien.testing.fakes import face_at, picture
from mien.types import FaceType, replace

NAMES = ("a 1", "c" * 190, "größe")
SIDE = 256
TRIANGLE = ((10, 10), (200, 10), (200, 200))


@pytest.fixture
def run() -> Run:
    registry = Registry([])
    return make_run("label", registry, Config(registry))


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three faces of 32 pixels, the first two labelled; each lies two pixels further right."""
    folder = tmp_path / "faces"
    for index, name in enumerate(NAMES):
        points = face_at(100, 90, 60).landmarks
        matrix = crop_matrix(points, FaceType.FULL, 32)
        matrix[0, 2] += 2 * index
        record = FaceRecord(
            face_type=FaceType.FULL,
            size=32,
            matrix=matrix,
            landmarks=transform(matrix, points).astype(np.float32),
            frame_landmarks=points,
            box=(60, 50, 140, 130),
            frame_index=index,
        )
        write_face(folder, name, picture(32, 32, seed=index), record)
    for name in NAMES[:2]:
        write_label(folder / f"{name}.jpg", drawn())
    return folder


def drawn() -> Label:
    points = np.array([(1.0, 1), (24, 1), (24, 24)])
    return Label(size=32, shapes=(Shape(INCLUDE, points),))


class Hand:
    """A window in which this is done: clicks as places, keys by name."""

    side = SIDE

    def __init__(self, *done: tuple[int, int] | str) -> None:
        self._done, self.shown, self.closed = list(done), 0, False

    def show(self, image: np.ndarray) -> None:
        assert image.dtype == np.uint8
        self.shown += 1

    def wait(self) -> Sequence[Mouse | str]:
        each = self._done.pop(0) if self._done else "q"
        if isinstance(each, str):
            return [each]
        return [
            Mouse(what=what, x=each[0], y=each[1], button="left") for what in ("press", "release")
        ]

    def close(self) -> None:
        self.closed = True


def points(face: Path) -> list[list[float]]:
    (shape,) = json.loads(label_path(face).read_text(encoding="utf-8"))["shapes"]
    return shape["points"]


# --- from face to face --------------------------------------------------------------------------


def test_drawing_begins_with_the_first_face_without_a_label(faces, run):
    hand = Hand(*TRIANGLE, "Enter", "e", "m", "q")
    assert draw_labels(run, faces, window=hand) == 1
    assert hand.closed
    assert len(points(faces / f"{NAMES[2]}.jpg")) == 3


def test_an_unfinished_shape_is_kept_when_the_face_is_left(faces, run):
    assert draw_labels(run, faces, window=Hand(*TRIANGLE, "a", "q")) == 1
    assert len(points(faces / f"{NAMES[2]}.jpg")) == 3


def test_going_to_and_fro_writes_only_what_changed(faces, run):
    paths = [label_path(faces / f"{name}.jpg") for name in NAMES[:2]]
    before = [path.stat().st_mtime_ns for path in paths]
    assert draw_labels(run, faces, start="a 1", window=Hand("d", "a", "x", "u", "d", "q")) == 0
    assert [path.stat().st_mtime_ns for path in paths] == before
    assert draw_labels(run, faces, start="a 1.jpg", window=Hand("x", "d", "q")) == 1
    assert not paths[0].exists()


def test_saving_writes_what_is_closed_and_drawing_goes_on(faces, run):
    path = label_path(faces / f"{NAMES[2]}.jpg")

    class Looks(Hand):
        seen: list[bool]

        def show(self, image: np.ndarray) -> None:
            self.seen = [*getattr(self, "seen", []), path.exists()]

    hand = Looks(*TRIANGLE, "s", "Enter", "s", "x", "u", "q")
    assert draw_labels(run, faces, window=hand) == 1
    assert hand.seen == [False] * 6 + [True] * 3


def test_the_drawing_of_the_face_before_is_copied_to_where_this_face_is(faces, run):
    assert draw_labels(run, faces, window=Hand("c", "q")) == 1
    expected = drawn().shapes[0].points + np.array((2.0, 0.0))
    np.testing.assert_allclose(points(faces / f"{NAMES[2]}.jpg"), expected, atol=1e-3)


def test_the_next_without_a_label_is_looked_for_from_the_start_again(faces, run):
    label_path(faces / "a 1.jpg").unlink()
    hand = Hand("n", *TRIANGLE, "n", *TRIANGLE, "n")
    assert draw_labels(run, faces, start=NAMES[1], window=hand) == 2
    assert all(label_path(faces / f"{name}.jpg").exists() for name in NAMES)
    assert run.events.notes == [f"{faces}: every face has a label"]  # type: ignore[attr-defined]


def test_a_face_that_cannot_be_read_is_stepped_over_once(faces, run):
    (faces / f"{NAMES[1]}.jpg").write_bytes(b"\xff\xd8 no picture")
    label_path(faces / "a 1.jpg").write_text("{")
    hand = Hand("a", "a", "d", "d", *TRIANGLE, "q")
    assert draw_labels(run, faces, start=NAMES[2], window=hand) == 1
    notes = run.events.notes  # type: ignore[attr-defined]
    assert len(notes) == 2
    assert "ccc" in notes[0]
    assert "a 1.jpg.json" in notes[1]


def test_a_face_that_is_not_there_is_named(faces, run):
    with pytest.raises(InputError, match="holds no face 'zoe'"):
        draw_labels(run, faces, start="zoe", window=Hand())


def test_where_nothing_can_be_written_nobody_draws_in_vain(faces, run, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(OutputError, match="labels cannot be written here"):
        draw_labels(run, faces, window=Hand())


# --- Tk -----------------------------------------------------------------------------------------


class PlayedTk:
    """What the window asks of Tk: it remembers who listens to what."""

    class TclError(Exception):
        """As Tk's."""

    def __init__(self, *, display: bool = True, height: int = 1080) -> None:
        self.display, self.height = display, height
        self.heard: dict[str, Callable[[Any], None]] = {}
        self.queue: list[tuple[str, Any]] = []
        self.shown = b""
        self.destroyed = False

    def Tk(self) -> Any:
        if not self.display:
            raise self.TclError("no display name and no $DISPLAY environment variable")
        return SimpleNamespace(
            winfo_screenheight=lambda: self.height,
            title=lambda text: None,
            resizable=lambda x, y: None,
            protocol=lambda name, do: self.heard.update({name: lambda event: do()}),
            bind=self._bind,
            update=self._update,
            destroy=lambda: setattr(self, "destroyed", True),
        )

    def Canvas(self, *args: Any, **more: Any) -> Any:
        nothing = lambda *args, **more: None  # noqa: E731
        return SimpleNamespace(
            create_image=nothing, pack=nothing, bind=self._bind, focus_set=nothing
        )

    def PhotoImage(self, **more: Any) -> Any:
        return SimpleNamespace(configure=lambda data: setattr(self, "shown", data))

    def _bind(self, name: str, do: Callable[[Any], None]) -> None:
        self.heard[name] = do

    def _update(self) -> None:
        while self.queue:
            name, event = self.queue.pop(0)
            self.heard[name](event)


def event(**values: Any) -> Any:
    return SimpleNamespace(**({"x": 3, "y": 4, "state": 0, "num": 0, "delta": 0} | values))


@pytest.fixture
def tk(monkeypatch) -> PlayedTk:
    played = PlayedTk()
    monkeypatch.setattr(room, "_tkinter", lambda: played)
    monkeypatch.setattr("sys.platform", "linux")
    return played


def test_the_window_tells_what_the_mouse_did(tk):
    window = TkWindow(896, 26)
    tk.queue = [
        ("<Motion>", event(x=1)),
        ("<Motion>", event(x=2)),
        ("<ButtonPress>", event(num=1, state=0x5)),
        ("<ButtonRelease>", event(num=1)),
        ("<ButtonPress>", event(num=3)),
        ("<ButtonPress>", event(num=4)),
        ("<ButtonRelease>", event(num=4)),
        ("<MouseWheel>", event(delta=-120)),
    ]
    told = window.wait()
    assert [(each.what, each.button, each.turn) for each in told] == [
        ("move", "", 0), ("press", "left", 0), ("release", "left", 0), ("press", "right", 0),
        ("wheel", "", 1), ("wheel", "", -1),
    ]  # fmt: skip
    assert (told[0].x, told[1].shift, told[1].control) == (2, True, True)
    assert window.wait() == []
    window.close()
    assert tk.destroyed


def test_closing_the_window_is_leaving(tk):
    window = TkWindow(896, 26)
    tk.queue = [("<Key>", event(keysym="u", char="u")), ("WM_DELETE_WINDOW", None)]
    assert window.wait() == ["u", "q"]


def test_a_picture_is_handed_over_in_colours_that_tk_knows(tk):
    TkWindow(896, 26).show(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert tk.shown == b"P6 2 1 255\n" + bytes((3, 2, 1, 6, 5, 4))


def test_the_window_fits_a_small_screen(tk):
    assert TkWindow(896, 26).side == 896
    tk.height = 768
    assert TkWindow(896, 26).side == 768 - 26 - 120


@pytest.mark.parametrize(
    ("keysym", "char", "control", "name"),
    [
        ("Return", "\r", False, "Enter"),
        ("Delete", "\x7f", False, "Delete"),
        ("plus", "+", False, "+"),
        ("KP_Subtract", "-", False, "-"),
        ("space", " ", False, "d"),
        ("I", "I", False, "i"),
        ("z", "\x1a", True, "u"),
        ("Z", "\x1a", True, "u"),
        ("y", "\x19", True, "r"),
        ("q", "\x11", True, ""),
        ("Shift_L", "", False, ""),
        ("Tab", "\t", False, ""),
    ],
)
def test_keys_have_one_name_on_every_machine(keysym, char, control, name):
    assert key_name(keysym, char, control=control) == name


def test_the_second_button_of_a_mac_is_the_right_one(tk, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    window = TkWindow(896, 26)
    tk.queue = [("<ButtonPress>", event(num=2)), ("<ButtonPress>", event(num=3))]
    assert [each.button for each in window.wait()] == ["right", "middle"]


def test_without_a_display_there_is_a_way_to_go(tk):
    tk.display = False
    with pytest.raises(ConfigError, match="there is no display to draw on; draw with LabelMe"):
        TkWindow(896, 26)


def test_without_tk_there_is_a_way_to_go(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tkinter", None)
    with pytest.raises(ConfigError, match=r"no Tk to draw with .* or draw with LabelMe"):
        TkWindow(896, 26)


def test_what_was_drawn_is_what_is_read(faces, run):
    draw_labels(run, faces, window=Hand((0, 0), (255, 0), (255, 255), "Enter", "q"))
    label = read_label(label_path(faces / f"{NAMES[2]}.jpg"))
    np.testing.assert_allclose(
        label.shapes[0].points, np.array([(0.5, 0.5), (255.5, 0.5), (255.5, 255.5)]) / 8
    )


@pytest.mark.parametrize(("keys", "name"), [("xq", NAMES[1]), ("nxq", NAMES[0])])
def test_a_search_in_a_large_set_rests_and_is_taken_up_again(faces, run, monkeypatch, keys, name):
    monkeypatch.setattr(label_window, "_AHEAD", 1)
    for path in faces.glob("*.jpg"):
        face = read_file(path)
        path.write_bytes(with_record(replace(face, record=with_polygons(face.record, drawn()))))
        label_path(path).unlink(missing_ok=True)
    assert draw_labels(run, faces, window=Hand(*keys)) == 1
    assert label_path(faces / f"{name}.jpg").exists()
    assert f"1 faces before {name}.jpg are labelled; n looks on" in run.events.notes
