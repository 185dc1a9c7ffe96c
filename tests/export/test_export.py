"""Exported files have the names and shapes of their contract, and give what the model gives."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mien.export import dfm as dfm_module
from mien.export import onnxfile
from mien.export.contract import IN_FACE, IN_MORPH, METADATA, OUTPUTS, read_facts
from mien.geometry import make_crop
from mien.jobs.export import export
from mien.jobs.model import find_model, open_model
from mien.onnx import open_session
from mien.stages import ExportPlan
from mien.testing.fakes import face_at, frames
from mien.types import CropSpec, FaceType

onnx = pytest.importorskip("onnx")


def sides(values) -> list[tuple[str, list]]:
    found = []
    for each in values:
        dims = each.type.tensor_type.shape.dim
        found.append((each.name, [dim.dim_param or dim.dim_value for dim in dims]))
        assert each.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    return found


@pytest.mark.parametrize("name", ["df", "liae", "amp"])
def test_a_dfm_keeps_the_contract_and_gives_what_the_model_gives(name, make_model, make_job):
    run, path = make_job(), make_model(name).parent / "model.dfm"
    folder = path.parent / f"model-{name}"
    done = export(run, folder=folder, path=path, form="dfm")
    assert done.difference < 1e-5
    model = onnx.load(path)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 12)]
    assert model.ir_version == 7
    morph = [(IN_MORPH, [1])] if name == "amp" else []
    assert sides(model.graph.input) == [(IN_FACE, ["batch", 64, 64, 3]), *morph]
    assert sides(model.graph.output) == [
        (output, ["batch", 64, 64, channels])
        for output, channels in zip(OUTPUTS, (1, 3, 1), strict=True)
    ]
    facts = read_facts(path)
    assert (facts.size, facts.morphs, facts.batch) == (64, name == "amp", 0)
    kinds = {"df": FaceType.FULL, "liae": FaceType.HEAD, "amp": FaceType.WHOLE}
    assert facts.face_type is kinds[name]

    found = find_model(run, folder)
    net = found.provider.create(found.options, run.context, found.generation.folder)
    module = net.export_plan().module
    faces = torch.rand(3, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    for share in (0.0, 0.4, 1.0) if name == "amp" else (None,):
        more = () if share is None else (torch.tensor([share]),)
        with torch.inference_mode():
            swap, swap_mask, target_mask = module(faces.permute(0, 3, 1, 2), *more)
        feeds = {IN_FACE: faces.numpy()} | dict(
            zip((IN_MORPH,), (each.numpy() for each in more), strict=False)
        )
        given = open_session(path).run(None, feeds)
        for one, other in zip(given, (target_mask, swap, swap_mask), strict=True):
            wanted = other.permute(0, 2, 3, 1).numpy()
            np.testing.assert_allclose(one, wanted, rtol=0, atol=1e-5)


def test_a_half_dfm_computes_convolutions_in_float16_only(make_model, make_job, tmp_path):
    folder = make_model("df")
    sizes = {}
    for half in (False, True):
        path = tmp_path / f"{half}.dfm"
        done = export(make_job(), folder=folder, path=path, form="dfm", half=half)
        assert done.difference < (1e-2 if half else 1e-5)
        sizes[half] = done.bytes
    assert sizes[True] < 0.6 * sizes[False]
    model = onnx.load(tmp_path / "True.dfm")
    assert [name for name, _ in sides(model.graph.input)] == [IN_FACE]
    assert [name for name, _ in sides(model.graph.output)] == list(OUTPUTS)
    floats = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    dense = [name for node in model.graph.node if node.op_type == "Gemm" for name in node.input[1:]]
    assert dense
    assert {floats[name] for name in dense} == {onnx.TensorProto.FLOAT}
    assert read_facts(tmp_path / "True.dfm").size == 64


@pytest.mark.slow
@pytest.mark.parametrize("name", ["df", "amp"])
def test_a_swap_by_the_file_is_the_swap_by_the_folder(name, make_model, make_job, tmp_path):
    folder, path = make_model(name), tmp_path / "model.dfm"
    run = make_job()
    export(run, folder=folder, path=path, form="dfm")
    swaps = []
    for place in (folder, path):
        stage = open_model(run, str(place)).stage
        crops = [make_crop(frame, face_at(48, 36, 40), stage.spec) for frame in frames(2)]
        stage.open()
        swaps.append(stage(crops))
        stage.close()
    for ours, theirs in zip(*swaps, strict=True):
        np.testing.assert_allclose(ours.image, theirs.image, rtol=0, atol=1e-5)
        assert set(ours.masks) == set(theirs.masks) == {"swap", "target"}
        for mask, value in ours.masks.items():
            np.testing.assert_allclose(value, theirs.masks[mask], rtol=0, atol=1e-5)
        assert ours.face_type is theirs.face_type
        assert np.array_equal(ours.matrix, theirs.matrix)


def test_a_dfm_of_a_net_that_wants_other_numbers_takes_bgr_from_0_to_1(tmp_path):
    class Swapped(torch.nn.Module):
        """Wants RGB from -1 to 1; gives the red of it as a mask."""

        def forward(self, face):
            image = (face.flip(1) + 1) / 2
            return image, image[:, 2:], 1 - image[:, 2:]

    spec = CropSpec(size=8, order="rgb", low=-1.0, high=1.0)
    plan = ExportPlan(
        module=Swapped(),
        inputs=(torch.rand(2, 3, 8, 8) * 2 - 1,),
        input_names=("face",),
        output_names=("image", "swap_mask", "target_mask"),
        dynamic={"face": {0: "batch"}},
    )
    dfm_module.write_dfm(plan, spec, tmp_path / "a.dfm", {})
    faces = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    target_mask, swap, swap_mask = open_session(tmp_path / "a.dfm").run(None, {IN_FACE: faces})
    np.testing.assert_allclose(swap, faces, atol=1e-6)
    np.testing.assert_allclose(swap_mask, faces[..., 2:], atol=1e-6)
    np.testing.assert_allclose(target_mask, 1 - faces[..., 2:], atol=1e-6)


def test_a_model_without_masks_or_of_two_sizes_is_no_dfm(make_model, make_job, tmp_path):
    folder = make_model("original")
    with pytest.raises(Exception, match="learned no masks of the swap and the target"):
        export(make_job(), folder=folder, path=tmp_path / "a.dfm", form="dfm")

    class Twice(torch.nn.Module):
        def forward(self, face):
            large = torch.nn.functional.interpolate(face, scale_factor=2)
            return large, large[:, :1], large[:, :1]

    plan = ExportPlan(
        module=Twice(),
        inputs=(torch.rand(2, 3, 8, 8),),
        input_names=("face",),
        output_names=("image", "swap_mask", "target_mask"),
        dynamic={"face": {0: "batch"}},
    )
    with pytest.raises(Exception, match="sees 8 pixels and makes 16, and in a DFM file all are"):
        dfm_module.write_dfm(plan, CropSpec(size=8), tmp_path / "a.dfm", {})
    assert not list(tmp_path.glob("*.dfm"))


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_an_onnx_file_gives_what_the_model_gives(make_model, make_job, tmp_path, half):
    folder, path = make_model("original"), tmp_path / "deep" / "a.onnx"
    done = export(make_job(), folder=folder, path=path, form="onnx", half=half)
    assert done.difference < (1e-2 if half else 1e-5)
    model = onnx.load(path)
    assert sides(model.graph.input) == [("face", ["batch", 3, 64, 64])]
    assert [name for name, _ in sides(model.graph.output)] == ["image"]
    (about,) = (json.loads(entry.value) for entry in model.metadata_props if entry.key == METADATA)
    assert about["plugin"] == "original"
    assert about["face_type"] == "full"
    assert about["iteration"] == 7
    assert (about["order"], about["low"], about["high"]) == ("bgr", 0.0, 1.0)


@pytest.mark.slow
def test_an_onnx_file_of_amp_can_morph(make_model, make_job, tmp_path):
    folder, path = make_model("amp"), tmp_path / "a.onnx"
    export(make_job(), folder=folder, path=path, form="onnx")
    model = onnx.load(path)
    assert [name for name, _ in sides(model.graph.input)] == ["face", "morph"]


def test_tensors_are_the_generations_and_say_what_they_are(make_model, mien, tmp_path):
    from safetensors import safe_open

    folder, path = make_model("df"), tmp_path / "a.safetensors"
    code, out, _ = mien("export", "safetensors", folder, "-o", path, "--json")
    assert code == 0
    assert json.loads(out) == {
        "output": str(path),
        "plugin": "saehd",
        "iteration": 7,
        "bytes": path.stat().st_size,
        "difference": None,
    }
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()[METADATA])
        names = set(file.keys())
    assert about["net"]["archi"] == "df-ud"
    assert about["options"]["gan_power"] == 0.1
    assert {name.partition(".")[0] for name in names} == {
        "encoder",
        "inter",
        "decoder_src",
        "decoder_dst",
    }


def test_a_file_that_gives_something_else_is_not_kept(make_model, mien, tmp_path, monkeypatch):
    folder, path = make_model("df"), tmp_path / "a.dfm"
    monkeypatch.setattr(onnxfile, "_TOLERANCE", 0.0)
    code, _, err = mien("export", "dfm", folder, "-o", path)
    assert code == 4
    assert "differ by" in err
    assert "allowed is 0; it was not kept" in err
    assert not list(tmp_path.glob("*.dfm"))


@pytest.mark.parametrize("form", ["dfm", "onnx", "safetensors"])
def test_what_is_no_model_is_said(form, mien, tmp_path):
    code, _, err = mien("export", form, tmp_path / "nothing", "-o", tmp_path / "a.x")
    assert code == 5
    assert "holds no model" in err


def test_a_place_that_cannot_be_written_is_said(make_model, mien, tmp_path):
    (tmp_path / "file").touch()
    folder = make_model("df")
    for form in ("dfm", "safetensors"):
        code, _, err = mien("export", form, folder, "-o", tmp_path / "file" / "a.x")
        assert code == 6
        assert "cannot be written" in err


def test_a_damaged_generation_is_said(make_model, mien, tmp_path):
    folder = make_model("df")
    (weights,) = folder.glob("generations/*/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-9])
    code, _, err = mien("export", "dfm", folder, "-o", tmp_path / "a.dfm")
    assert code == 5
    assert "its weights.safetensors has" in err
