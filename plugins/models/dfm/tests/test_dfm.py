"""Files of every legal kind run, others are refused with what is wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mien_model_dfm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError, InputError, StageError
from mien.export.contract import IN_FACE, IN_MORPH, METADATA, OUTPUTS, check_facts, read_facts
from mien.geometry import make_crop
from mien.options import parse
from mien.testing import FakeContext
from mien.testing.conformance import StageConformance, sent
from mien.testing.fakes import FakeNet, face_at, frames
from mien.types import FaceType

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIZE = 16


def write(
    path: Path,
    *,
    morphs: bool = False,
    batch: int | str = "N",
    sides: Sequence[int | str] = (SIZE, SIZE),
    renamed: dict[str, str] | None = None,
    channels: int = 3,
    extra: bool = False,
    double: bool = False,
    about: dict[str, Any] | None = None,
) -> Path:
    """A file whose swap is the negative of the face; `morph` goes from the face to that."""
    name = dict(renamed or {}).get
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    face = name(IN_FACE, IN_FACE)
    mask, swap, swap_mask = (name(each, each) for each in OUTPUTS)
    one = numpy_helper.from_array(np.array([1], np.float64 if double else np.float32), "one")
    share = IN_MORPH if morphs else "one"
    nodes = [
        helper.make_node("Sub", ["one", face], ["negative"]),
        helper.make_node("Sub", ["one", share], ["rest"]),
        helper.make_node("Mul", ["negative", share], ["new"]),
        helper.make_node("Mul", [face, "rest"], ["old"]),
        helper.make_node("Add", ["new", "old"], [swap]),
        helper.make_node("ReduceMean", [face], [mask], axes=[3], keepdims=1),
        helper.make_node("Sub", ["one", mask], [swap_mask]),
    ]

    def tensor(called: str, count: int) -> Any:
        return helper.make_tensor_value_info(called, kind, [batch, *sides, count])

    inputs = [tensor(face, channels)]
    inputs += [helper.make_tensor_value_info(IN_MORPH, kind, [1])] if morphs else []
    inputs += [helper.make_tensor_value_info("more:0", kind, [1])] if extra else []
    outputs = [tensor(mask, 1), tensor(swap, channels), tensor(swap_mask, 1)]
    graph = helper.make_graph(nodes, "swap", inputs, outputs, [one])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7, producer_name="test"
    )
    if about is not None:
        helper.set_model_props(model, {METADATA: json.dumps(about)})
    onnx.save(model, path)
    return path


def swaps_of(path: Path, count: int, **options: Any) -> tuple[list[Any], list[Any]]:
    chosen = parse(mien_model_dfm.Options, options)
    stage = mien_model_dfm.create(chosen, FakeContext(), path)
    crops = [make_crop(frame, face_at(48, 36, 40), stage.spec) for frame in frames(count)]
    stage.open()
    made = stage(crops)
    stage.close()
    return crops, list(made)


class TestDfm(StageConformance):
    plugin = mien_model_dfm
    name = "dfm"
    kind = "model"

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = write(tmp_path / "model.dfm")

    def make_stage(self, provider: Any, context: Any) -> Any:
        return provider.create(self.chosen(provider), context, self.path)

    def make_items(self, stage: Any) -> list[Any]:
        places = [(48, 36, 40, 0), (40, 30, 22, 30), (5, 5, 30, -60)]
        return [
            make_crop(frame, face_at(x, y, size, roll=roll), stage.spec)
            for frame, (x, y, size, roll) in zip(frames(len(places)), places, strict=True)
        ]

    def test_it_works_again_after_pickled_options(self, provider: Any, context: Any) -> None:
        """A worker process makes the same stage from the options and the file."""
        options = sent(self.chosen(provider))
        stages = [self.make_stage(provider, context), provider.create(options, context, self.path)]
        items = self.make_items(stages[0])
        results = []
        for each in stages:
            each.open()
            results.append(self.run(each, items))
            each.close()
        self.compare(results[0], results[1], items, 0.0)

    def arrays(self, result: Any, item: Any) -> list[np.ndarray[Any, Any]]:
        assert result.image.shape == item.image.shape
        return [result.image, *result.masks.values()]


class TestDfmForTwoFaces(TestDfm):
    """A file that takes two faces and no other number."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = write(tmp_path / "model.dfm", batch=2, morphs=True)


def test_a_swap_and_its_masks_are_what_the_file_gives(tmp_path):
    crops, made = swaps_of(write(tmp_path / "a.dfm"), 3)
    for crop, swap in zip(crops, made, strict=True):
        np.testing.assert_allclose(swap.image, 1 - crop.image, atol=1e-6)
        mean = crop.image.mean(-1, keepdims=True)
        np.testing.assert_allclose(swap.masks["target"], mean, atol=1e-6)
        np.testing.assert_allclose(swap.masks["swap"], 1 - mean, atol=1e-6)
        assert swap.face_type is FaceType.WHOLE


@pytest.mark.parametrize("morph", [0.0, 0.25, 1.0])
def test_a_model_that_morphs_goes_from_the_target_to_the_source(tmp_path, morph):
    crops, made = swaps_of(write(tmp_path / "a.dfm", morphs=True), 1, morph=morph)
    wanted = (1 - crops[0].image) * morph + crops[0].image * (1 - morph)
    np.testing.assert_allclose(made[0].image, wanted, atol=1e-6)


def test_every_face_may_morph_as_far_as_its_keyframes_say(tmp_path):
    path = write(tmp_path / "a.dfm", morphs=True)
    stage = mien_model_dfm.create(mien_model_dfm.Options(), FakeContext(), path)
    stage.open()
    crops, morphs = swaps_of(path, 3)[0], (0.25, 1.0, 0.25)
    made = stage.tuned(crops, [mien_model_dfm.Options(morph=morph) for morph in morphs])
    for crop, swap, morph in zip(crops, made, morphs, strict=True):
        wanted = (1 - crop.image) * morph + crop.image * (1 - morph)
        np.testing.assert_allclose(swap.image, wanted, atol=1e-6)
    stage.close()


@pytest.mark.parametrize("faces", [1, 4, 5])
def test_a_file_for_four_faces_gets_four_whatever_there_is(tmp_path, faces):
    crops, made = swaps_of(write(tmp_path / "a.dfm", batch=4), faces)
    assert len(made) == faces
    for crop, swap in zip(crops, made, strict=True):
        np.testing.assert_allclose(swap.image, 1 - crop.image, atol=1e-6)


def test_the_face_type_is_the_options_else_the_files_else_whole(tmp_path, caplog):
    silent = write(tmp_path / "silent.dfm")
    said = write(tmp_path / "said.dfm", about={"face_type": "head"})
    strange = write(tmp_path / "strange.dfm", about={"face_type": "foot"})

    def face_type(path: Path, **options: Any) -> FaceType:
        chosen = parse(mien_model_dfm.Options, options)
        return mien_model_dfm.create(chosen, FakeContext(), path).spec.face_type

    with caplog.at_level(logging.INFO):
        assert face_type(said) is FaceType.HEAD
        assert face_type(said, face_type="full") is FaceType.FULL
        assert not caplog.messages
        assert face_type(silent) is FaceType.WHOLE
        assert face_type(strange) is FaceType.WHOLE
    assert "does not say how much of the head" in caplog.messages[0]


def test_asking_a_model_to_morph_that_cannot_is_said(tmp_path, caplog):
    path = write(tmp_path / "a.dfm", about={"face_type": "full"})
    with caplog.at_level(logging.INFO):
        mien_model_dfm.create(parse(mien_model_dfm.Options, {"morph": 0.5}), FakeContext(), path)
    assert caplog.messages == ["a.dfm cannot morph, so it shows all of the source"]


def test_sides_that_a_file_leaves_open_are_no_fault(tmp_path):
    outputs_open = write(tmp_path / "a.dfm", batch="anything")
    model = onnx.load(outputs_open)
    for output in model.graph.output:
        for place in output.type.tensor_type.shape.dim[:3]:
            place.dim_param = f"{output.name}_side"
    onnx.save(model, outputs_open)
    facts = read_facts(outputs_open)
    assert (facts.size, facts.morphs, facts.batch) == (SIZE, False, 0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"renamed": {IN_FACE: "face"}}, "has no input 'in_face:0'; asks for 'face'"),
        ({"renamed": {OUTPUTS[1]: "out"}}, "has no output 'out_celeb_face:0'"),
        ({"extra": True}, "asks for 'more:0'"),
        ({"double": True}, r"'in_face:0' is tensor\(double\), must be float32"),
        ({"channels": 4}, r"'in_face:0' is \(N, 16, 16, 4\), must be \(N, 16, 16, 3\)"),
        ({"sides": (16, 8)}, r"'in_face:0' is \(N, 16, 8, 3\), must be \(N, 16, 16, 3\)"),
        ({"sides": ("H", "W")}, r"'in_face:0' is \(N, H, W, 3\), must be \(N, R, R, 3\)"),
    ],
)
def test_a_file_with_other_tensors_is_refused_with_all_that_is_wrong(tmp_path, change, told):
    with pytest.raises(InputError, match=told) as caught:
        read_facts(write(tmp_path / "a.onnx", **change))
    assert str(caught.value).endswith(
        "A DFM takes 'in_face:0' and perhaps 'morph_value:0', and gives out_face_mask:0, "
        "out_celeb_face:0, out_celeb_face_mask:0"
    )


SIDES = st.one_of(st.integers(1, 3), st.sampled_from(["N", "side", None]))


@given(st.tuples(SIDES, SIDES, SIDES, SIDES), st.tuples(SIDES, SIDES, SIDES, SIDES))
def test_every_shape_is_either_refused_or_one_that_a_face_can_have(face, mask):
    kind = "tensor(float)"
    inputs = [(IN_FACE, face, kind)]
    outputs = [(OUTPUTS[0], mask, kind), (OUTPUTS[1], face, kind), (OUTPUTS[2], mask, kind)]
    size = face[1]

    def fits(shape: tuple[Any, ...], channels: int) -> bool:
        wanted = (size, size, channels)
        pairs = zip(shape[1:], wanted, strict=True)
        return all(not isinstance(seen, int) or seen == want for seen, want in pairs)

    if not isinstance(size, int) or not fits(face, 3) or not fits(mask, 1):
        with pytest.raises(InputError, match=r"is no DFM file: '(in|out)_"):
            check_facts(Path("a.dfm"), inputs, outputs, {})
        return
    facts = check_facts(Path("a.dfm"), inputs, outputs, {})
    assert facts.size == size
    assert facts.batch == (face[0] if isinstance(face[0], int) else 0)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 40])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "a.dfm"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.dfm': is no ONNX file that can be run"):
        read_facts(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = write(tmp_path / "a.dfm")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError):
        read_facts(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_facts(tmp_path / "a.dfm")


def test_numbers_that_are_no_picture_are_an_error_and_others_are_brought_into_range(tmp_path):
    path = write(tmp_path / "a.dfm")
    size = (1, SIZE, SIZE)

    def swap(image: Any) -> Any:
        masks = [np.zeros((*size, 1), np.float32)] * 2
        context = FakeContext(net=FakeNet([image, *masks]))
        stage = mien_model_dfm.create(mien_model_dfm.Options(), context, path)
        stage.open()
        return stage([make_crop(frames(1)[0], face_at(48, 36, 40), stage.spec)])[0].image

    assert swap(np.full((*size, 3), 1.5, np.float32)).max() == 1
    for wrong in (np.full((*size, 3), np.nan, np.float32), np.zeros((1, 8, 8, 3), np.float32)):
        with pytest.raises(StageError, match="are no picture"):
            swap(wrong)


def test_it_cannot_be_trained():
    with pytest.raises(ConfigError, match="is finished and cannot be trained"):
        mien_model_dfm.train(mien_model_dfm.Options(), FakeContext())
