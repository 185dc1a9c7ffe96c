"""The lower half of the line: who is asked what, in which order, and what happens when it fails."""

from collections.abc import Sequence
from dataclasses import replace as with_

import numpy as np
import pytest
from mien.errors import ConfigError
from mien.merging import MergeOptions
from mien.merging.steps import merge_steps
from mien.merging.swapping import Failures
from mien.runner import run
from mien.stages import Blended, StageBase
from mien.testing import face_at, frames
from mien.types import CropSpec, Face, FaceMask, FaceType, Packet, Swap, replace


class Toy(StageBase):
    """A stage that answers with a function and remembers what it was asked."""

    def __init__(self, function, size=24, **spec):
        self.function, self.batch_size = function, 3
        self.spec = CropSpec(face_type=FaceType.FULL, size=size, **spec)
        self.asked = []

    def __call__(self, batch: Sequence, /) -> list:
        self.asked += batch
        return [self.function(item) for item in batch]


def grey(value, **masks):
    """A model that makes every face one grey."""

    def make(crop):
        size = crop.spec.size
        made = {name: np.full((size, size, 1), v, np.float32) for name, v in masks.items()}
        image = np.full((size, size, 3), value, np.float32)
        return Swap(image=image, matrix=crop.matrix, masks=made)

    return Toy(make)


def overlay():
    return Toy(lambda pair: Blended(image=pair.swap, alpha=pair.alpha))


def packets(places, count=1, step=0):
    """Frames with faces of (x, y, size), that go `step` pixels to the right from frame to frame."""
    made = []
    for frame in frames(count, width=96, height=72):
        shift = step * frame.index
        faces = tuple(
            replace(face_at(x + shift, y, size), track=n) for n, (x, y, size) in enumerate(places)
        )
        made.append(Packet(frame=frame, faces=faces))
    return made


def go(given, model, merge=None, **parts):
    merge = merge or MergeOptions(mask="full", faces="all", erode=0, blur=0)
    blend = parts.pop("blend", overlay())
    out = []
    run(
        given,
        merge_steps(model, parts.pop("color", None), blend, merge, **parts),
        out.append,
        index_of=lambda packet: packet.frame.index,
    )
    return out


def test_where_faces_overlap_the_larger_one_is_nearer_whatever_their_order():
    places = [(48, 36, 40), (40, 36, 18)]

    def model():
        return Toy(
            lambda crop: Swap(
                image=np.full((24, 24, 3), 1.0 if crop.face.track else 0.0, np.float32),
                matrix=crop.matrix,
            )
        )

    (one,) = go(packets(places), model())
    assert (one.frame.image[36, 40] == 0).all()


def test_every_face_and_frame_may_have_its_own_options():
    given = packets([(30, 36, 24), (66, 36, 24)], count=2)
    plain = MergeOptions(mask="full", faces="all", erode=0, blur=0)

    def options(packet, face):
        empty = packet.frame.index == 1 and face.track == 0
        return with_(plain, mask="0") if empty else plain

    out = go(given, grey(1.0), options)
    touched = [(p.frame.image != q.frame.image).any(-1) for p, q in zip(out, given, strict=True)]
    assert touched[0][:, :46].any()
    assert not touched[1][:, :46].any()
    assert touched[1][:, 50:].any()


def test_a_masker_can_look_at_the_new_face():
    masker = Toy(lambda crop: (crop.image[..., :1] > 0.6).astype(np.float32), size=32)
    merge = MergeOptions(mask="bright.swap", erode=0, blur=0)
    given = packets([(48, 36, 30)])
    (bright,) = go(given, grey(230 / 255), merge, swap_maskers={"bright": masker})
    (dark,) = go(given, grey(0.1), merge, swap_maskers={"bright": masker})
    assert bright.frame.image[36, 48].tolist() == [230, 230, 230]
    assert np.array_equal(dark.frame.image, given[0].frame.image)
    crop = masker.asked[0]
    assert crop.image.shape == (32, 32, 3)
    assert crop.image[16, 16].tolist() == pytest.approx([230 / 255] * 3)


def test_the_second_pass_sees_the_first_ones_face_and_keeps_its_mask_of_the_target():
    def halve(crop):
        image = np.ascontiguousarray(crop.image * np.float32(0.5))
        target = np.full((24, 24, 1), crop.image.mean(), np.float32)
        return Swap(image=image, matrix=crop.matrix, masks={"target": target})

    given = packets([(48, 36, 30)])
    once, twice = (
        go(given, Toy(halve), MergeOptions(mask="full", two_pass=both))[0].swaps[0]
        for both in (False, True)
    )
    np.testing.assert_allclose(twice.image[8:16, 8:16], once.image[8:16, 8:16] / 2, atol=0.01)
    assert np.array_equal(twice.masks["target"], once.masks["target"])


@pytest.mark.parametrize(
    "spec", [{}, {"dtype": "uint8"}, {"low": -1.0, "high": 1.0, "order": "rgb"}]
)
def test_sharpening_before_the_model_raises_what_it_sees_within_its_range(spec):
    given = packets([(48, 36, 30)])
    seen = []
    for amount in (0, 60):
        model = Toy(lambda crop: grey(0.5).function(crop), **spec)
        go(given, model, MergeOptions(presharpen=amount))
        seen.append(model.asked[0].image.astype(np.float64))
    assert np.abs(np.diff(seen[1], axis=0)).mean() > 1.2 * np.abs(np.diff(seen[0], axis=0)).mean()
    low, high = (0, 255) if spec else (0, 1)
    if "low" in spec:
        low, high = -1, 1
    assert low <= seen[1].min() <= seen[1].max() <= high


def test_an_enhancer_is_asked_only_where_it_is_wanted():
    def finer(image):
        return np.repeat(np.repeat(image, 2, 0), 2, 1)

    given = packets([(48, 36, 30)])
    enhancer = Toy(finer)
    (plain,) = go(given, grey(0.5), MergeOptions(mask="full"), enhancer=enhancer)
    assert not enhancer.asked
    (fine,) = go(given, grey(0.5), MergeOptions(mask="full", enhance=50), enhancer=enhancer)
    assert fine.swaps[0].image.shape == (48, 48, 3)
    off = np.abs(fine.frame.image.astype(int) - plain.frame.image)
    assert (off > 12).mean() < 0.01


def test_motion_blur_follows_each_face_by_itself():
    def stripes(crop):
        image = np.zeros((24, 24, 3), np.float32)
        image[:, ::4] = 1
        return Swap(image=image, matrix=crop.matrix)

    merge = MergeOptions(mask="full", faces="all", motion_blur=100)
    (_, still, _), (_, moved, _) = (
        go(packets([(40, 36, 40)], count=3, step=step), Toy(stripes), merge) for step in (0, 8)
    )
    spread = [float(packet.frame.image[30:42, 44:52].std()) for packet in (still, moved)]
    assert spread[1] < 0.6 * spread[0]


def test_grain_differs_from_frame_to_frame_and_not_from_run_to_run():
    given = packets([(48, 36, 60)], count=2)
    rng = np.random.default_rng(0)
    noisy = [
        replace(
            p,
            frame=replace(
                p.frame,
                image=np.clip(128 + rng.normal(0, 8, p.frame.image.shape), 0, 255).astype(np.uint8),
            ),
        )
        for p in given
    ]
    merge = MergeOptions(mask="full", grain=100)
    runs = [go(noisy, grey(0.5), merge) for _ in range(2)]
    faces = [[packet.frame.image[30:42, 42:54].astype(int) for packet in made] for made in runs]
    assert np.array_equal(faces[0], faces[1])
    assert not np.array_equal(faces[0][0], faces[0][1])
    assert 3 < faces[0][0].std() < 14


def test_a_model_that_gives_no_numbers_leaves_the_plate_and_is_listed():
    def broken(crop):
        image = np.full((24, 24, 3), 0.9, np.float32)
        if crop.frame_index in (1, 2):
            image[3, 3] = np.nan
        return Swap(image=image, matrix=crop.matrix)

    given, failures = packets([(48, 36, 30)], count=4), Failures()
    out = go(given, Toy(broken), failures=failures)
    kept = [np.array_equal(p.frame.image, q.frame.image) for p, q in zip(out, given, strict=True)]
    assert kept == [False, True, True, False]
    assert dict(failures) == dict.fromkeys((1, 2), "the model gave values that are not numbers")


def test_landmarks_that_cannot_be_aligned_leave_the_plate_and_are_listed():
    (packet,) = packets([(48, 36, 30)])
    flat = replace(packet.faces[0], landmarks=np.full((68, 2), 7, np.float32))
    failures = Failures()
    (out,) = go([replace(packet, faces=(flat,))], grey(1.0), failures=failures)
    assert np.array_equal(out.frame.image, packet.frame.image)
    assert "landmarks lie on one point" in failures[0]


@pytest.mark.parametrize("place", [(-60, 36, 30), (0, 0, 30), (96, 72, 50), (48, 36, 110)])
def test_faces_that_leave_the_frame_or_are_larger_than_it_are_managed(place):
    given = packets([place])
    (out,) = go(given, grey(0.8), MergeOptions(mask="full", grain=100, denoise=100))
    assert out.frame.image.shape == given[0].frame.image.shape
    assert np.array_equal(out.frame.image, given[0].frame.image) == (place[0] == -60)


@pytest.mark.parametrize("text", ["0", "full*0", "stored"])
def test_an_empty_mask_changes_nothing(text):
    (packet,) = packets([(48, 36, 30)])
    none = FaceMask(mask=np.zeros((9, 9, 1), np.float32), matrix=np.eye(2, 3))
    given = replace(packet, faces=(replace(packet.faces[0], masks={"stored": none}),))
    (out,) = go([given], grey(1.0), MergeOptions(mask=text))
    assert np.array_equal(out.frame.image, packet.frame.image)


@pytest.mark.parametrize("shape", [(0, 0, 1), (1, 1, 1), (9, 5, 1), (300, 7, 1)])
def test_a_stored_mask_may_have_any_size(shape):
    (packet,) = packets([(48, 36, 30)])
    stored = FaceMask(
        mask=np.ones(shape, np.float32), matrix=np.array([[1.0, 0, -44], [0, 1, -33]])
    )
    given = replace(packet, faces=(replace(packet.faces[0], masks={"stored": stored}),))
    (out,) = go([given], grey(1.0), MergeOptions(mask="stored", erode=0, blur=0))
    touched = (out.frame.image != packet.frame.image).any(-1)
    assert not touched[:20].any()
    assert touched.any() == (0 not in shape)


def test_a_swap_without_a_pixel_is_left_out():
    def nothing(crop):
        return Swap(image=np.zeros((0, 0, 3), np.float32), matrix=crop.matrix)

    given = packets([(48, 36, 30)])
    (out,) = go(given, Toy(nothing))
    assert np.array_equal(out.frame.image, given[0].frame.image)


def test_a_mask_that_nobody_has_is_named():
    (packet,) = packets([(48, 36, 30)])
    with pytest.raises(ConfigError, match="no mask 'swap' here"):
        go([packet], grey(1.0), MergeOptions(mask="learned-prd"))


def test_a_face_without_landmarks_is_passed_by():
    (packet,) = packets([])
    given = replace(packet, faces=(Face(box=(1, 1, 9, 9)),))
    (out,) = go([given], grey(1.0))
    assert out.frame is packet.frame


def test_a_colour_transfer_with_a_window_sees_the_same_face_in_the_frames_around():
    seen = []

    class Windowed(Toy):
        window = (1, 1)

        def __call__(self, batch, /):
            seen.extend(
                [pair.frame_index for pair in (*each.before, each.item, *each.after)]
                for each in batch
            )
            return [each.item.swap for each in batch]

    go(packets([(30, 36, 24), (66, 36, 24)], count=3), grey(0.4), color=Windowed(None))
    assert seen == [[0, 1], [0, 1], [0, 1, 2], [0, 1, 2], [1, 2], [1, 2]]
