"""What the audience sees: the plugins that work where nothing is said, on whole frames.

One promise of every blend at every depth, whatever the controls do and however they change over
the clip; and faces of real clips in another light, which must come back as they were.
"""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.arrays import as_float
from mien.config import KINDS
from mien.merging import MergeOptions
from mien.merging.steps import merge_steps
from mien.registry import Registry
from mien.runner import run
from mien.stages import BlendProvider, ColorTransferProvider, StageBase
from mien.testing import FakeContext, face_at
from mien.types import CropSpec, Face, FaceType, Frame, Packet, Swap, replace

REGISTRY = Registry.installed()
CARDS = {name: REGISTRY.get(BlendProvider, name) for name in REGISTRY.names("blend")}
BLENDS = sorted(
    name
    for name, card in CARDS.items()
    if getattr(card.create(card.options(), FakeContext()), "shows", "mask") != "patch"
)
HEIGHT, WIDTH, COUNT = 48, 64, 3
BITS = {"8": 8, "10": 10, "16": 16, "float": 32}


def made(provider, name):
    card = REGISTRY.get(provider, name)
    return card.create(card.options(), FakeContext())


class Model(StageBase):
    """A model that shows what it is shown, as `change` makes it."""

    batch_size = 4

    def __init__(self, size, change, face_type=FaceType.FULL):
        self.spec = CropSpec(face_type=face_type, size=size)
        self._change = change

    def __call__(self, batch, /):
        size = self.spec.size
        whole = np.ones((size, size, 1), np.float32)
        return [
            Swap(
                image=self._change(as_float(crop.image)),
                matrix=crop.matrix,
                face_type=self.spec.face_type,
                masks={"swap": whole, "target": whole},
            )
            for crop in batch
        ]


def finished(packets, model, options, blend, seen=None):
    """The frames of the packets after the lower half of the line."""
    color = made(ColorTransferProvider, KINDS["color"])
    steps = merge_steps(model, color, made(BlendProvider, blend), options, moving=True, seen=seen)
    frames = []
    run(packets, steps, frames.append, index_of=lambda packet: packet.frame.index)
    return [packet.frame for packet in frames]


def picture(depth, rng):
    """Noise at a depth; float holds what float plates hold: above white, below black, -0."""
    shape = (HEIGHT, WIDTH, 3)
    if depth == "float":
        image = rng.normal(0.5, 0.6, shape).astype(np.float32)
        image[rng.random(shape) < 0.1] = -0.0
        return image
    if depth == "8":
        return rng.integers(0, 256, shape, np.uint8)
    if depth == "10":
        ten = rng.integers(0, 1024, shape, np.uint32)
        return ((ten * 65535 + 511) // 1023).astype(np.uint16)
    return rng.integers(0, 65536, shape, np.uint16)


def some(values):
    return st.sampled_from([0.0, *values])


controls = st.builds(
    MergeOptions,
    mask=st.sampled_from(["full", "hull", "swap*target", "full - hull", "hull*0.5"]),
    erode=st.floats(-25, 25),
    erode_left=some([20.0, -20.0]),
    erode_top=some([9.0]),
    erode_right=some([-9.0]),
    erode_bottom=some([25.0]),
    blur=st.floats(0, 50),
    erode_pixels=st.none() | st.floats(-400, 400),
    blur_pixels=st.none() | st.floats(0, 400),
    scale=st.floats(-50, 50),
    faces=st.sampled_from(["all", "largest"]),
    presharpen=some([40.0]),
    two_pass=st.booleans(),
    light=some([100.0]),
    contrast=some([50.0]),
    sharpen_mode=st.sampled_from(["none", "box", "gaussian", "unsharp"]),
    sharpen=some([20.0, -15.0]),
    sharpen_radius=st.sampled_from([1, 4]),
    motion_blur=some([60.0]),
    denoise=some([130.0]),
    degrade=some([70.0]),
    color_degrade=some([50.0]),
    grain=some([100.0]),
)


@pytest.mark.parametrize("depth", BITS)
@pytest.mark.parametrize("blend", BLENDS)
@settings(max_examples=6)
@given(
    keyed=st.lists(controls, min_size=2 * COUNT, max_size=2 * COUNT),
    where=st.tuples(st.floats(-10, 74), st.floats(-10, 58), st.floats(6, 90)),
    seed=st.integers(0, 99),
)
def test_what_is_not_under_a_mask_keeps_its_bits_however_the_controls_change(
    blend, depth, keyed, where, seed
):
    rng = np.random.default_rng(seed)
    x, y, size = where
    packets = []
    for index in range(COUNT):
        faces = [face_at(x + 3 * index, y, size), face_at(40 - index, 24, 20)]
        frame = Frame(index=index, image=picture(depth, rng), bits=BITS[depth])
        tracked = tuple(replace(face, track=track) for track, face in enumerate(faces))
        packets.append(Packet(frame=frame, faces=tracked))
    covered = np.zeros((COUNT, HEIGHT, WIDTH), bool)

    def options(packet, face):
        return keyed[2 * packet.frame.index + face.track]

    def seen(packet, faces):
        for shown in faces:
            x0, y0, x1, y1 = shown.placed.box
            mask = shown.placed.pair.alpha[..., 0] > 0
            covered[packet.frame.index, y0:y1, x0:x1] |= mask

    model = Model(20, lambda crop: np.clip(1.3 * crop[:, ::-1], 0, 1).astype(np.float32))
    results = finished(packets, model, options, blend, seen)
    for packet, result, under in zip(packets, results, covered, strict=True):
        plate = packet.frame.image
        assert result.image.dtype == plate.dtype
        kind = f"u{plate.dtype.itemsize}"
        assert np.array_equal(result.image[~under].view(kind), plate[~under].view(kind))


def labelled(shared, clip, first, count):
    """Packets of a clip's frames with the face that its labels tell of."""
    folder = shared("data/clips")
    path = next(each for each in folder.glob(f"{clip}.*") if each.suffix != ".json")
    told = json.loads((folder / f"{clip}.faces.json").read_text(encoding="utf-8"))["frames"]
    reader, packets = cv2.VideoCapture(str(path)), []
    for index in range(first + count):
        is_frame, image = reader.read()
        assert is_frame
        if index >= first:
            known = told[index]["faces"][0]
            points = np.array(known["lm68"], np.float32)
            face = Face(box=tuple(known["box"]), landmarks=points, track=0)
            packets.append(Packet(frame=Frame(index=index, image=image), faces=(face,)))
    reader.release()
    return packets


LIGHTS = {"dimmer and redder": (0.55, 0.6, 0.8), "bluer": (1.0, 0.75, 0.5)}


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize(
    "clip",
    ["pair_b_man_512", "synthetic_woman_fur_hood", "grid_man2_glasses", "sign_man_hand_on_mouth"],
)
def test_a_face_in_another_light_comes_back_as_it_was(shared, clip, light):
    packets = labelled(shared, clip, 18, 5)
    gains = np.float32(LIGHTS[light])
    model = Model(160, lambda crop: np.minimum(crop * gains, 1), FaceType.WHOLE)
    masks = []

    def seen(packet, faces):
        (shown,) = faces
        masks.append((shown.placed.box, shown.placed.pair.alpha[..., 0]))

    results = finished(packets, model, MergeOptions(), KINDS["blend"], seen)
    for packet, result, ((x0, y0, x1, y1), mask) in zip(packets, results, masks, strict=True):
        plate, made = (each.image[y0:y1, x0:x1] for each in (packet.frame, result))
        # A slow look: what was resampled is softer, and that is no fault of colours.
        gap = cv2.GaussianBlur(as_float(made) - as_float(plate), (0, 0), 3)
        assert np.abs(gap[mask > 0]).mean() < 0.004
        assert np.abs(gap[mask > 0]).max() < 0.02
