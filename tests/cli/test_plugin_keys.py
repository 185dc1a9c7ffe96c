"""Keyframes of plugins' options: set, explained, rendered, and only what they touch again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from mien.hooks import hookimpl
from mien.options import option
from mien.stages import (
    ColorTransferProvider,
    EnhancerProvider,
    MaskerProvider,
    ModelProvider,
    StageBase,
)
from mien.training import checkpoint
from mien.training.base import TrainerState
from mien.types import CropSpec, FaceType, Swap

FFV1 = ("--codec", "ffv1", "--mask", "hull", "--color", "tint")


@dataclass(frozen=True, slots=True, kw_only=True)
class TintOptions:
    shade: float = option(0.0, "how much darker", ge=0, le=1)
    frames: int = option(0, "how many frames around", ge=0, le=9)


class Tint(StageBase):
    def __init__(self, options):
        self._shade, self.window = np.float32(1 - options.shade), (options.frames, 0)

    def __call__(self, batch, /):
        return [pair.swap * self._shade for pair in batch]


@dataclass(frozen=True, slots=True, kw_only=True)
class MorphOptions:
    morph: float = option(1.0, "how far", ge=0, le=1)
    size: int = option(32, "the net's", ge=16)


class Morph(StageBase):
    """Its faces depend on the batch, as a net's last bits do."""

    batch_size = 4
    spec = CropSpec(face_type=FaceType.FULL, size=32)
    asked: ClassVar[list[int]] = []

    def __init__(self, options):
        self._options = options

    def __call__(self, batch, /):
        return self.tuned(batch, [self._options] * len(batch))

    def tuned(self, batch, options, /):
        Morph.asked += [crop.frame_index for crop in batch]
        made = []
        for crop, each in zip(batch, options, strict=True):
            share = np.float32(each.morph)
            image = crop.image * (1 - share) + (1 - crop.image) * share
            shade = np.float32(0.05 * len(batch) + 0.01 * (batch[0].frame_index % 7))
            made.append(Swap(image=np.clip(image - shade, 0, 1), matrix=crop.matrix))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class PaleOptions:
    floor: float = option(0.0, "what becomes 0", ge=0, le=1)
    size: int = option(32, "the crop's", ge=16)


class Pale(StageBase):
    """Half a face, unless its floor lies higher."""

    spec = CropSpec(face_type=FaceType.FULL, size=32)

    def __init__(self, options):
        self._half = np.float32(0.5 if options.floor <= 0.5 else 0)

    def __call__(self, batch, /):
        return [np.full((32, 32, 1), self._half) for _ in batch]


@pytest.fixture(autouse=True)
def more_toys(registry):
    def maskers():
        yield MaskerProvider(
            name="pale",
            summary="toy",
            options=PaleOptions,
            create=lambda o, c: Pale(o),
            keyed=("floor",),
        )

    def enhancers():
        yield EnhancerProvider(name="fine", summary="toy", options=PaleOptions, create=Pale)

    def colours():
        yield ColorTransferProvider(
            name="tint", summary="toy", options=TintOptions, create=lambda o, c: Tint(o)
        )

    def models():
        yield ModelProvider(
            name="morph",
            summary="toy",
            options=MorphOptions,
            create=lambda o, c, generation: Morph(o),
            train=lambda o, c: None,
            keyed=("morph",),
        )

    plugin = SimpleNamespace(
        __name__="more",
        mien_color_transfers=hookimpl(colours),
        mien_models=hookimpl(models),
        mien_maskers=hookimpl(maskers),
        mien_enhancers=hookimpl(enhancers),
    )
    registry.add("more", "1", plugin)
    assert not registry.broken


@pytest.fixture
def model(tmp_path):
    import torch

    folder = tmp_path / "model"
    folder.mkdir()
    card = checkpoint.ModelCard(
        plugin="morph", dist_version="1", options={"morph": 0.5}, face_type="full", size=32
    )
    checkpoint.write_card(folder, card)
    checkpoint.save(folder, TrainerState(weights={"w": torch.zeros(1)}), 7)
    return folder


@pytest.fixture
def clip(mien, make_clip):
    made = make_clip(frames=24)
    assert mien("extract", made, "-w", "work", "--cut", "1")[0] == 0
    return made


@pytest.fixture
def keys(mien, clip):
    return lambda command, *words: mien("keys", command, clip, "-w", "work", *words)


@pytest.fixture
def merged(mien, clip, model, read_clip):
    def run(*words):
        Morph.asked = []
        code, _, err = mien("merge", clip, "-w", "work", "-m", model, "-o", "o.mkv", *FFV1, *words)
        assert code == 0, err
        return [frame.image for frame in read_clip("o.mkv")], err

    return run


def changed(one, other):
    return [n for n, (a, b) in enumerate(zip(one, other, strict=True)) if not np.array_equal(a, b)]


def test_a_colour_transfers_option_changes_the_frames_that_it_touches(keys, merged):
    before, _ = merged()
    assert keys("set", "-f", 9, "--only", "tint.shade=0.5")[:2] == (
        0,
        "set for frame 9 alone: tint.shade=0.5 (work/clip.keyframes.toml)\n",
    )
    after, err = merged()
    assert "23 of 24 frames with a face are as they were" in err
    assert changed(before, after) == [9]
    assert Morph.asked == list(range(8, 16))
    assert changed(after, merged("--no-cache")[0]) == []
    keys("set", "-f", 9, "--only", "tint.shade=0")  # what it is by default
    assert changed(before, merged()[0]) == []
    assert Morph.asked == list(range(8, 16))


def test_a_model_morphs_along_its_keys_with_the_very_bits_of_a_whole_render(keys, merged):
    before, _ = merged()
    keys("set", "-f", 8, "morph.morph=0.5")
    assert changed(before, merged()[0]) == []  # as the model was begun
    keys("set", "-f", 12, "model.morph.morph=0.9", "--ease", "hold")
    keys("set", "-f", 16, "morph.morph=0.5")
    after, _ = merged()
    assert changed(before, after) == list(range(9, 16))
    assert changed(after, merged("--no-cache")[0]) == []
    assert len({after[n].tobytes() for n in (9, 10, 11, 12)}) == 4


@pytest.mark.parametrize("mask", ["pale", "hull * pale.swap"])
def test_a_maskers_option_changes_the_frames_that_it_touches(keys, merged, mask):
    before, _ = merged("--mask", mask)
    keys("set", "-f", 6, "pale.floor=0", "--ease", "hold")
    keys("set", "-f", 10, "masker.pale.floor=0.9", "--ease", "hold")
    keys("set", "-f", 14, "pale.floor=0.2")
    after, _ = merged("--mask", mask)
    assert changed(before, after) == [10, 11, 12, 13]
    assert changed(after, merged("--mask", mask, "--no-cache")[0]) == []


def test_tracks_and_shots_have_options_of_their_own(keys, merged):
    before, _ = merged()
    keys("set", "--track", 0, "tint.shade=0.4")
    assert changed(before, merged()[0]) == list(range(24))
    keys("set", "-f", 5, "--only", "tint.shade=0")
    assert changed(before, merged()[0]) == [n for n in range(24) if n != 5]
    keys("remove", "-f", 5, "--only", "tint.shade")
    keys("remove", "-f", 0, "-t", 0)
    keys("set", "--shot", 3, "tint.shade=0.4")
    assert changed(before, merged()[0]) == list(range(24))


def test_explain_names_the_options_that_change(mien, keys, clip, model):
    keys("set", "-f", 0, "tint.shade=0.2", "morph.morph=0")
    keys("set", "-f", 10, "tint.shade=0.4")
    words = ("merge", clip, "-w", "work", "-m", model, "--color", "tint", "--explain", 5)
    code, out, err = mien(*words)
    assert code == 0, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "color.tint.shade 0.3 keys at 0 (0.2) and 10 (0.4), linear" in lines
    assert "model.morph.morph 0 key at 0, which holds" in lines
    assert "color.tint.frames 0 default" in lines[lines.index("every frame") :]
    assert not any(
        line.startswith("color.tint.shade") for line in lines[lines.index("every frame") :]
    )
    keys("undo")
    keys("undo")
    keys("set", "-f", 3, "--only", "morph.morph=0")
    facts = json.loads(mien(*words, "--json")[1])
    assert facts["frames"][0]["plugins"] == {
        "model.morph.morph": {"value": 0.5, "from": "the model, as it was begun"}
    }


def test_keys_of_a_plugin_that_takes_no_part_are_named_and_touch_nothing(keys, merged, mien, clip):
    before, _ = merged("--color", "none")
    keys("set", "-f", 9, "tint.shade=0.5")
    after, err = merged("--color", "none")
    assert "note: keyframes of color.tint touch nothing: this run does not use it" in err
    assert changed(before, after) == []
    assert Morph.asked == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("tint.shade=2", "color.tint.shade: must be 0..1, is 2"),
        ("color.tint.shad=1", "color.tint.shad: no such option; did you mean 'shade'?"),
        ("tind.shade=1", "tind.shade: no such plugin; did you mean 'tint'?"),
        ("morph.size=64", "model.morph.size: is the same for the whole clip; what can change of "
         "'morph': morph"),
        ("pale.size=64", "masker.pale.size: is the same for the whole clip; what can change of "
         "'pale': floor; the control 'mask' says where its mask is used"),
        ("fine.floor=1", "enhancer.fine.floor: is the same for the whole clip; what can change of "
         "'fine': none of its options; the control 'enhance' says how much of its picture is used"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_said(keys, words, problem):
    code, out, err = keys("set", "-f", 3, words)
    assert (code, out, err) == (2, "", f"error: {problem}\n")


def test_an_option_that_the_pipeline_is_built_upon_stops_the_merge_at_the_start(
    mien, keys, clip, model, tmp_path
):
    assert keys("set", "-f", 3, "tint.frames=2")[0] == 0
    code, _, err = mien("merge", clip, "-w", "work", "-m", model, "-o", "x.mkv", *FFV1)
    assert code == 2
    assert "color.tint.frames: changes how many frames are looked at" in err
    assert not list(tmp_path.glob("x*"))


def test_a_preview_shows_what_the_merge_makes(mien, keys, clip, model, merged, tmp_path):
    import cv2

    keys("set", "-f", 9, "--only", "tint.shade=0.5")
    after, _ = merged()
    code, _, err = mien(
        "preview",
        clip,
        9,
        "-w",
        "work",
        "-m",
        model,
        "-o",
        "p",
        "--mask",
        "hull",
        "--color",
        "tint",
    )
    assert code == 0, err
    seen = cv2.imread(str(tmp_path / "p" / "000009.png")).astype(int)
    assert np.abs(seen - after[9]).max() <= 60  # a batch of one
