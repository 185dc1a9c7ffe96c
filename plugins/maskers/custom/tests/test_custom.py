"""Masks that somebody made, in every form that is promised, and what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mien_mask_custom
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError, InputError, StageError
from mien.geometry import make_crop, warp
from mien.stages import Context
from mien.testing import FakeContext, MaskerConformance, face_at, frames
from mien_mask_custom import Options, create
from mien_mask_custom.sources import nearest, open_masks

WIDTH, HEIGHT = 96, 72


def half(side: str = "left", top: int = 255, dtype: Any = np.uint8) -> Any:
    """A grey mask that is white on one half."""
    mask = np.zeros((HEIGHT, WIDTH), dtype)
    mask[:, : WIDTH // 2] = top
    return mask if side == "left" else np.ascontiguousarray(mask[:, ::-1])


def masks_for(folder: Path, pictures: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        if name.endswith(".json"):
            (folder / name).write_text(json.dumps(picture), encoding="utf-8")
        else:
            assert cv2.imwrite(str(folder / name), picture)
    return folder


def crop_in(index: int, stage: Any, x: float = 48) -> Any:
    frame = frames(index + 1, width=WIDTH, height=HEIGHT)[index]
    return make_crop(frame, face_at(x, 36, 30), stage.spec)


def mask_at(index: int, source: Path, **settings: Any) -> Any:
    """The mask of a face in the middle of frame `index`, and the crop it belongs to."""
    stage = create(Options(source=source, **{"size": 64, **settings}), FakeContext())
    stage.open()
    crop = crop_in(index, stage)
    (mask,) = stage([crop])
    stage.close()
    return mask, crop


class TestCustomKeepsItsPromises(MaskerConformance):
    plugin = mien_mask_custom
    name = "custom"
    folder: Path

    @pytest.fixture(autouse=True)
    def _make_masks(self, tmp_path: Path) -> None:
        pictures = {f"m_{index}.png": half("left" if index % 2 else "right") for index in range(4)}
        type(self).options = {"source": str(masks_for(tmp_path / "masks", pictures))}

    def make_context(self, folder: Path) -> Context:
        return FakeContext(cache=folder)


def test_a_mask_lies_in_the_crop_as_the_picture_does(tmp_path: Path) -> None:
    folder = masks_for(tmp_path / "m", {"a0.png": half()})
    mask, crop = mask_at(0, folder)
    wanted = warp(half().astype(np.float32)[..., None] / 255, crop.matrix, 64)
    np.testing.assert_allclose(mask, wanted, atol=1e-6)
    assert 0.3 < mask.mean() < 0.7


@pytest.mark.parametrize(
    ("picture", "suffix"),
    [
        (half(), "png"),
        (half(top=65535, dtype=np.uint16), "png"),
        (half(top=1, dtype=np.float32), "tiff"),
        (np.repeat(half()[..., None], 3, 2), "bmp"),
        (np.dstack([255 - half()] * 3 + [half()]), "png"),
        (
            np.dstack(
                [65535 - half(top=65535, dtype=np.uint16)] * 3 + [half(top=65535, dtype=np.uint16)]
            ),
            "png",
        ),
    ],
    ids=["grey", "grey-16", "float", "colour", "alpha", "alpha-16"],
)
def test_every_kind_of_picture_means_the_same(tmp_path: Path, picture: Any, suffix: str) -> None:
    wanted, _ = mask_at(0, masks_for(tmp_path / "plain", {"0.png": half()}))
    mask, _ = mask_at(0, masks_for(tmp_path / "other", {f"0.{suffix}": picture}))
    np.testing.assert_allclose(mask, wanted, atol=1e-6)


def test_the_channel_can_be_chosen(tmp_path: Path) -> None:
    picture = np.dstack([half("right")] * 3 + [half("left")])
    folder = masks_for(tmp_path / "m", {"0.png": picture})
    left, _ = mask_at(0, folder)
    right, _ = mask_at(0, folder, channel="grey")
    np.testing.assert_allclose(left, 1 - right, atol=1e-6)
    masks_for(folder, {"0.png": half()})
    with pytest.raises(InputError, match=r'0.png: has no alpha channel; set channel = "grey"'):
        mask_at(0, folder, channel="alpha")


def test_inverting_swaps_face_and_background(tmp_path: Path) -> None:
    folder = masks_for(tmp_path / "m", {"0.png": half()})
    np.testing.assert_allclose(mask_at(0, folder)[0], 1 - mask_at(0, folder, invert=True)[0])


def test_numbers_in_names_say_which_frame_a_mask_is_for(tmp_path: Path) -> None:
    pictures = {"take2_v10_1001.png": half("left"), "take2_v10_1003.png": half("right")}
    folder = masks_for(tmp_path / "m", pictures)
    left, _ = mask_at(0, folder, first=1001)
    right, _ = mask_at(2, folder, first=1001)
    np.testing.assert_allclose(left, 1 - right, atol=1e-6)
    for source in (folder / "take2_v10_%04d.png", folder / "take2_v10_%d.png"):
        np.testing.assert_array_equal(mask_at(0, source, first=1001)[0], left)


def test_a_frame_without_a_mask_gets_what_was_asked_for(tmp_path: Path) -> None:
    folder = masks_for(tmp_path / "m", {"1.png": half("left"), "5.png": half("right")})
    assert not mask_at(3, folder)[0].any()
    assert mask_at(3, folder, missing="full")[0].min() == 1
    left, _ = mask_at(1, folder)
    for index, wanted in ((0, left), (3, left), (4, 1 - left), (9, 1 - left)):
        mask, _ = mask_at(index, folder, missing="nearest")
        np.testing.assert_allclose(mask, wanted, atol=1e-6)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 60))
def test_the_nearest_number_is_the_nearest(numbers: set[int], number: int) -> None:
    found = nearest(sorted(numbers), number)
    assert found in numbers
    assert abs(found - number) == min(abs(each - number) for each in numbers)


def test_one_picture_serves_all_frames(tmp_path: Path) -> None:
    folder = masks_for(tmp_path / "m", {"7.png": half()})
    first, _ = mask_at(0, folder / "7.png")
    np.testing.assert_array_equal(mask_at(5, folder / "7.png")[0], first)
    assert first.any()


def test_a_clip_is_read_frame_by_frame_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "masks.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for index in range(6):
        side = "left" if index < 3 else "right"
        writer.write(np.repeat(half(side)[..., None], 3, 2))
    writer.release()
    stage = create(Options(source=path, size=64), FakeContext())
    stage.open()
    means = [stage([crop_in(index, stage)])[0][:, :32].mean() for index in (0, 1, 4, 5, 2)]
    assert [mean > 0.5 for mean in means] == [True, True, False, False, True]
    assert not stage([crop_in(6, stage)])[0].any()  # the clip has ended
    stage.close()


SQUARE = {"label": "face", "points": [[20, 10], [60, 10], [60, 50], [20, 50]]}
CANVAS = {"imageWidth": WIDTH, "imageHeight": HEIGHT}


def drawn(tmp_path: Path, *shapes: Any, label: str = "") -> Any:
    path = tmp_path / "shapes.json"
    path.write_text(json.dumps(CANVAS | {"shapes": list(shapes)}), encoding="utf-8")
    return open_masks(path, 0, "auto", label).read(0)[..., 0]


def test_polygons_are_filled_where_they_lie(tmp_path: Path) -> None:
    mask = drawn(tmp_path, SQUARE)
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask[12:48, 22:58].min() == 1
    assert mask[:, 63:].max() == mask[53:].max() == 0


def test_holes_are_cut_whatever_the_order(tmp_path: Path) -> None:
    hole = {"label": "hole", "shape_type": "rectangle", "points": [[50, 40], [30, 20]]}
    masks = [drawn(tmp_path, SQUARE, hole), drawn(tmp_path, hole, SQUARE)]
    np.testing.assert_array_equal(*masks)
    assert masks[0][22:38, 32:48].max() == 0
    assert masks[0][14, 24] == 1


def test_circles_and_labels_count_as_they_should(tmp_path: Path) -> None:
    circle = {"label": "other", "shape_type": "circle", "points": [[70, 40], [70, 55]]}
    both = drawn(tmp_path, SQUARE, circle)
    assert both[40, 70] == both[28, 70] == 1
    assert both[23, 70] == 0
    assert both.sum() - drawn(tmp_path, SQUARE, circle, label="face").sum() > 500


def test_one_file_can_hold_many_frames(tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    told = CANVAS | {"frames": {"10": {"shapes": [SQUARE]}, "12": {"shapes": []}}}
    path.write_text(json.dumps(told), encoding="utf-8")
    with_face, _ = mask_at(0, path, first=10)
    assert with_face.any()
    assert not mask_at(2, path, first=10)[0].any()
    np.testing.assert_array_equal(mask_at(1, path, first=10, missing="nearest")[0], with_face)


def test_a_folder_may_hold_a_json_file_per_frame(tmp_path: Path) -> None:
    pictures = {"a_0.json": CANVAS | {"shapes": [SQUARE]}, "a_1.json": CANVAS | {"shapes": []}}
    folder = masks_for(tmp_path / "m", pictures)
    assert mask_at(0, folder)[0].any()
    assert not mask_at(1, folder)[0].any()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no object with 'shapes' or 'frames'"),
        ({"shapes": []}, "'imageWidth' must be a whole number of 1..32768 pixels"),
        ({"imageWidth": 1e9, "imageHeight": 3, "shapes": []}, "'imageWidth' must be a whole"),
        (CANVAS, "'shapes' is missing or not a list"),
        (CANVAS | {"frames": {"x": {}}}, "'frames' must map frame numbers"),
        (CANVAS | {"shapes": [3]}, "shape 0 is not an object"),
        (CANVAS | {"shapes": [{"points": [[1, 2], [3]]}]}, "'points' must be a list of"),
        (CANVAS | {"shapes": [{"points": [[1, 2], [3, 4]]}]}, "at least 3 points, here 2"),
        (CANVAS | {"shapes": [SQUARE, SQUARE | {"shape_type": "line"}]}, "shape 1 is a 'line'"),
        ('{"imageWidth": 9, "imageHeight": 9, "shapes": [{"points": [[NaN, 1]]}]}', "'points'"),
    ],
)
def test_what_is_wrong_in_a_json_file_is_said(tmp_path: Path, told: Any, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        open_masks(path, 0, "auto", "")


def test_points_far_outside_do_no_harm(tmp_path: Path) -> None:
    huge = {"points": [[-1e12, -1e12], [1e12, -1e12], [1e12, 1e12], [-1e12, 1e12]]}
    assert drawn(tmp_path, huge).min() == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere", "there is no such folder or file"),
        (lambda folder: masks_for(folder / "m", {}), "holds no picture or JSON file"),
        (lambda folder: folder / "m_%04d.png", "holds no picture or JSON file"),
        (lambda folder: folder / "none" / "m_%04d.png", "cannot be read: No such file"),
        (lambda folder: masks_for(folder / "m", {"mask.png": half()}), "its name holds no number"),
        (
            lambda folder: masks_for(folder / "m", {"a_1.png": half(), "b_01.png": half()}),
            "b_01.png and a_1.png are both for frame 1",
        ),
    ],
)
def test_a_source_that_cannot_be_used_is_named(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        mask_at(0, make(tmp_path))


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for content in (b"", b"\x89PNG\r\n\x1a\n cut off"):
        (folder / "0.png").write_bytes(content)
        with pytest.raises(InputError, match=r"0.png: not a picture"):
            mask_at(0, folder)


def test_masks_of_two_sizes_are_an_error_unless_stretched(tmp_path: Path) -> None:
    small = cv2.resize(half(), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_NEAREST)
    folder = masks_for(tmp_path / "m", {"0.png": half(), "1.png": small})
    stage = create(Options(source=folder), FakeContext())
    stage.open()
    stage([crop_in(0, stage)])
    with pytest.raises(InputError, match="frame 1 has 48x36 pixels, those before have 96x72"):
        stage([crop_in(1, stage)])
    with pytest.raises(InputError, match="frame 1 has 48x36 pixels, the frames have 96x72"):
        mask_at(1, folder, width=WIDTH, height=HEIGHT)
    stretched, _ = mask_at(1, folder, width=WIDTH, height=HEIGHT, stretch=True)
    assert np.abs(stretched - mask_at(0, folder)[0]).mean() < 0.02


def test_a_face_beside_its_mask_shows_that_the_size_is_wrong(tmp_path: Path) -> None:
    folder = masks_for(tmp_path / "m", {"0.png": half()[:40, :40]})
    with pytest.raises(StageError, match=r"frame 0 is at \(48, \d+\), outside its mask of 40x40"):
        mask_at(0, folder)


def test_options_that_belong_together_are_asked_for_together() -> None:
    with pytest.raises(ConfigError) as caught:
        create(Options(width=100, stretch=True), FakeContext())
    told = str(caught.value)
    assert "source: is not set" in told
    assert "width and height are given together" in told
    with pytest.raises(ConfigError, match="stretch: needs the frames' width and height"):
        create(Options(source=Path("m"), stretch=True), FakeContext())


def test_calling_before_open_is_a_plain_mistake(tmp_path: Path) -> None:
    stage = create(Options(source=tmp_path), FakeContext())
    with pytest.raises(RuntimeError, match="before open"):
        stage([crop_in(0, stage)])
