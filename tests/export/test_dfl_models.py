"""Models of DeepFaceLab's come in, go on, and go back; what cannot be right is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mien.errors import OutputError
from mien.jobs.dfl import training_flags
from mien.nets.dflfiles import ModelData, read_data, read_slots, write_data
from mien.stages import ModelProvider
from mien.testing import FakeContext
from mien.testing.dfl import fill, keys_of
from mien.training import checkpoint
from mien.training.show.history import read_history
from mien.weights.pickles import load_path
from torch import nn

from .conftest import batch_for

LEFT = {
    "SAEHD": {
        "resolution": np.int64(64),
        "face_type": "wf",
        "archi": "LIAE-ud",
        "ae_dims": np.int64(32),
        "e_dims": 16,
        "d_dims": 16,
        "d_mask_dims": 16,
        "masked_training": True,
        "eyes_mouth_prio": True,
        "uniform_yaw": False,
        "blur_out_mask": False,
        "adabelief": True,
        "lr_dropout": "cpu",
        "random_warp": False,
        "true_face_power": 0.5,
        "face_style_power": np.float64(1.5),
        "bg_style_power": 0.0,
        "gan_power": 0.1,
        "gan_patch_size": 8,
        "gan_dims": 4,
        "ct_mode": "none",
        "clipgrad": True,
        "batch_size": 4,
        "eyes_prio": True,
    },
    "AMP": {
        "resolution": 64,
        "face_type": "f",
        "ae_dims": 32,
        "inter_dims": 32,
        "e_dims": 16,
        "d_dims": 16,
        "d_mask_dims": 16,
        "morph_factor": 0.3,
        "lr_dropout": False,
        "gan_power": 0.1,
        "gan_patch_size": 8,
        "gan_dims": 4,
    },
}
SCOPES = {"SAEHD": "D_src", "AMP": "GAN"}


@pytest.fixture
def make_theirs(tmp_path: Path, installed: Any) -> Callable[..., Path]:
    """A folder with a model as DeepFaceLab leaves it, every tensor computed from its name."""
    from mien.nets.dflfiles import Slots, arrays_of, save_model, write_slots
    from mien.options import parse

    def make(kind: str, name: str = "anna", place: str = "theirs", **changes: Any) -> Path:
        folder = tmp_path / place
        base = folder / f"{name}_{kind}"
        provider = installed.get(ModelProvider, kind.lower())
        options = {**LEFT.get(kind, {"batch_size": 4}), **changes}
        trainer = provider.train(parse(provider.options, provider.dfl.ours(options)), FakeContext())
        net, judge = trainer.learners.net, trainer.learners.judges.get("gan")
        for part, child in net.named_children():
            fill(part, child)
        save_model(net, base)
        known = {
            key: value
            for key, value in arrays_of(net.state_dict()).items()
            if kind != "AMP" or not key.startswith("inter_")
        }
        kinds = ("acc",) if kind == "Quick96" else ("ms", "vs")
        slots = {
            each: {key: np.abs(value) * number + 0.5 for key, value in known.items()}
            for number, each in enumerate(kinds, start=2)
        }
        write_slots(
            base.with_name(f"{base.name}_src_dst_opt.npy"), Slots(iterations=321, values=slots)
        )
        if judge is not None:
            fill("GAN", judge.net)
            save_model(nn.ModuleDict({"GAN": judge.net}), base)
            scoped = arrays_of(nn.ModuleDict({SCOPES[kind]: judge.net}).state_dict())
            write_slots(
                base.with_name(f"{base.name}_GAN_opt.npy"),
                Slots(iterations=45, values={"ms": scoped, "vs": scoped}),
            )
        losses = np.array([[0.5, 0.25], [0.25, 0.125]])
        data = ModelData(iterations=1000, options=options, losses=losses)
        write_data(base.with_name(f"{base.name}_data.dat"), data)
        return folder

    return make


def contents(path: Path) -> dict[str, Any]:
    return {key: np.asarray(value) for key, value in load_path(path).items()}


@pytest.mark.parametrize("kind", ["SAEHD", "AMP"])
def test_a_model_comes_in_goes_on_and_goes_back(kind, make_theirs, mien, tmp_path, installed):
    theirs, ours, back = make_theirs(kind), tmp_path / "ours", tmp_path / "back"
    code, out, err = mien("import", "dfl-model", theirs, "-o", ours, "--json")
    assert code == 0, err
    plugin = kind.lower()
    assert json.loads(out) == {"model": str(ours), "plugin": plugin, "iteration": 1000}
    generation = checkpoint.latest(ours)
    assert generation is not None
    assert generation.iteration == 1000
    losses = [(line["iteration"], line["losses"]) for line in read_history(ours / "history.jsonl")]
    assert losses == [
        (999, {"source": 0.5, "target": 0.25}),
        (1000, {"source": 0.25, "target": 0.125}),
    ]

    # Back without a step, every file holds the same numbers.
    code, out, err = mien("export", "dfl-model", ours, "-o", back, "--name", "anna")
    assert code == 0, err
    names = {path.name for path in theirs.iterdir()}
    assert names == {path.name for path in back.iterdir()}
    for name in sorted(names - {f"anna_{kind}_data.dat"}):
        before, after = contents(theirs / name), contents(back / name)
        assert before.keys() == after.keys(), name
        for key, value in before.items():
            assert np.array_equal(value, after[key]), f"{name}: {key}"
            assert value.dtype == after[key].dtype
    data = read_data(back / f"anna_{kind}_data.dat")
    assert data.iterations == 1000
    assert data.losses.tolist() == [[0.5, 0.25], [0.25, 0.125]]
    kept = set(LEFT[kind]) - {"eyes_prio", "batch_size", "random_warp"}
    changed = {name for name in kept if data.options[name] != LEFT[kind][name]}
    same_in_other_words = {"archi", "lr_dropout", "true_face_power"}
    assert changed <= same_in_other_words
    assert data.options["lr_dropout"] == ("y" if kind == "SAEHD" else "n")

    # One step, and back: the files hold what the step made.
    card = checkpoint.read_card(ours)
    assert card is not None
    provider = installed.get(ModelProvider, card.plugin)
    trainer = provider.train(provider.options(**_typed(provider, card.options)), FakeContext())
    trainer.load(generation.state())
    assert [optimizer.iters for optimizer in trainer.learners.optimizers] == [321, 45]
    before = {name: value.clone() for name, value in trainer.learners.net.state_dict().items()}
    trainer.step(batch_for(trainer))
    checkpoint.save(ours, trainer.state(), 1001)
    code, _, err = mien("export", "dfl-model", ours, "-o", tmp_path / "later", "--json")
    assert code == 0, err
    base = tmp_path / "later" / f"ours_{kind}"
    moved = set()
    for part, child in trainer.learners.net.named_children():
        stored = contents(base.with_name(f"{base.name}_{part}.npy"))
        for key, weight in keys_of(part, child).items():
            value = _file_layout(weight)
            assert np.array_equal(stored[key.partition("/")[2]], value), key
        if any(
            not torch.equal(weight, before[f"{part}.{name}"])
            for name, weight in child.state_dict().items()
        ):
            moved.add(part)
    frozen = {"SAEHD": {"inter_AB"}, "AMP": {"inter_src", "inter_dst"}}[kind]
    assert moved == {part for part, _ in trainer.learners.net.named_children()} - frozen
    shapes = {
        name: tuple(value.shape)
        for name, value in trainer.learners.net.named_parameters()
        if not name.startswith("inter_")
    }
    slots = read_slots(base.with_name(f"{base.name}_src_dst_opt.npy"), shapes)
    assert slots.iterations == 322


def _typed(provider: Any, options: Any) -> dict[str, Any]:
    from mien.options import parse

    made = parse(provider.options, options)
    return {name: getattr(made, name) for name in options}


def _file_layout(weight: Any) -> Any:
    from mien.nets.dflfiles import to_file_layout

    return to_file_layout(weight.detach().numpy())


def test_both_judges_of_a_df_model_go_out_and_come_back(make_model, mien, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    assert mien("export", "dfl-model", make_model("df"), "-o", out, "--name", "anna")[0] == 0
    names = {path.name.removeprefix("anna_SAEHD_") for path in out.iterdir()}
    nets = {"encoder.npy", "inter.npy", "decoder_src.npy", "decoder_dst.npy", "src_dst_opt.npy"}
    judges = {"GAN.npy", "GAN_opt.npy", "code_discriminator.npy", "D_code_opt.npy"}
    assert names == nets | judges | {"data.dat"}
    code, _, err = mien("import", "dfl-model", out, "-o", tmp_path / "ours")
    assert code == 0
    assert "begins anew" not in err
    ours = tmp_path / "ours"
    assert mien("export", "dfl-model", ours, "-o", again, "--name", "anna")[0] == 0
    for path in out.glob("*.npy"):
        before, after = contents(path), contents(again / path.name)
        assert before.keys() == after.keys()
        assert all(np.array_equal(value, after[key]) for key, value in before.items())
    assert contents(out / "anna_SAEHD_D_code_opt.npy")["iters:0"] == 1


@pytest.mark.slow
def test_a_quick96_comes_in_and_goes_back(make_theirs, mien, tmp_path):
    theirs = make_theirs("Quick96")
    assert mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")[0] == 0
    assert mien("export", "dfl-model", tmp_path / "ours", "-o", tmp_path, "--name", "anna")[0] == 0
    for path in theirs.glob("*.npy"):
        before, after = contents(path), contents(tmp_path / path.name)
        assert before.keys() == after.keys()
        assert all(np.array_equal(value, after[key]) for key, value in before.items())


def test_an_import_that_fails_can_be_done_again(make_theirs, mien, tmp_path, monkeypatch):
    theirs, ours = make_theirs("AMP"), tmp_path / "ours"

    def full(*_args: Any, **_named: Any) -> None:
        raise OutputError("no space left on the disk")

    with monkeypatch.context() as broken:
        broken.setattr(checkpoint, "save", full)
        code, _, err = mien("import", "dfl-model", theirs, "-o", ours)
    assert (code, "no space left on the disk" in err) == (6, True)
    assert mien("import", "dfl-model", theirs, "-o", ours)[0] == 0


def test_options_that_belong_to_a_training_are_told(make_theirs, mien, tmp_path):
    theirs = make_theirs("SAEHD")
    _, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert (
        "to go on as DeepFaceLab did: mien train … --batch-size 4 --color 0 --zoom 0.15 --warp 0 "
        "--flip-source 0 --flip-target 0.4\n"
    ) in err


def test_all_of_its_settings_for_a_training_are_flags_that_exist(mien):
    flags = training_flags(
        "AMP",
        {
            "batch_size": 6,
            "random_src_flip": True,
            "random_dst_flip": False,
            "uniform_yaw": True,
            "random_hsv_power": 0.05,
            "target_iter": 5000,
            "autobackup_hour": 2,
            "models_opt_on_gpu": False,
        },
    )
    assert flags == (
        "--batch-size 6 --color 0 --zoom 0.15 --warp-kind dfl --flip-source 0.4 --flip-target 0 "
        "--uniform-yaw --hsv-power 0.05 --iterations 5000 --snapshot-hours 2 --offload"
    )
    code, shown, _ = mien("train", "--help")
    assert code == 0
    assert all(word in shown for word in flags.split() if word.startswith("--"))
    assert training_flags("Quick96", {}).endswith("--flip-source 0 --flip-target 0")


def test_what_is_not_there_begins_anew_and_is_said(make_theirs, mien, tmp_path):
    theirs = make_theirs("SAEHD")
    (theirs / "anna_SAEHD_GAN.npy").unlink()
    (theirs / "anna_SAEHD_src_dst_opt.npy").unlink()
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert code == 0
    assert "anna_SAEHD_src_dst_opt.npy is not there: the optimizer begins anew" in err
    assert "anna_SAEHD_GAN.npy is not there: the judge begins anew" in err


def test_slots_of_another_optimizer_begin_anew_and_count_on(make_theirs, mien, tmp_path):
    theirs = make_theirs("SAEHD")
    data = theirs / "anna_SAEHD_data.dat"
    old = read_data(data)
    options = {**old.options, "adabelief": False}
    write_data(data, ModelData(iterations=9, options=options, losses=old.losses))
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert code == 0
    assert "holds ms and vs, of another optimizer than the model's options name" in err
    generation = checkpoint.latest(tmp_path / "ours")
    assert generation is not None
    assert generation.facts["steps"]["net"] == 321


def test_a_folder_with_several_models_asks_which(make_theirs, mien, tmp_path):
    theirs = make_theirs("AMP", "anna")
    make_theirs("AMP", "bert")
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert code == 5
    assert "holds 2 models; say which, as in --name" in err
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours", "--name", "carl")
    assert code == 5
    assert "holds no model 'carl'; it holds: " in err
    words = ("import", "dfl-model", theirs, "-o", tmp_path / "ours", "--name", "bert")
    assert mien(*words)[0] == 0
    code, _, err = mien(*words)
    assert code == 6
    assert "holds a model already; name another folder" in err


@pytest.mark.parametrize(
    ("break_it", "code", "told"),
    [
        (lambda base: _cut(base, "encoder.npy"), 7, "damaged at byte"),
        (lambda base: _cut(base, "src_dst_opt.npy"), 7, "damaged at byte"),
        (lambda base: _cut(base, "data.dat"), 5, "damaged at byte"),
        (lambda base: _put(base, "decoder.npy", b"cos\nsystem\n(S'x'\ntR."), 7, "refused, it asks"),
        (lambda base: _gone(base, "decoder.npy"), 7, "cannot be read (no such file"),
        (lambda base: _say(base, resolution=128), 7, "not the weights of this net"),
        (lambda base: _say(base, ae_dims=1 << 20), 5, "ae_dims: must be 32..1024"),
        (
            lambda base: _say(base, face_type="foot"),
            5,
            "face_type: must be one of h, mf, f, wf, head, is 'foot'",
        ),
        (lambda base: _say(base, without="e_dims"), 5, "its e_dims is not said"),
        (lambda base: _say(base, iterations=0), 5, "has learned nothing yet"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_and_nothing_is_left(
    make_theirs, mien, tmp_path, break_it, code, told
):
    theirs = make_theirs("AMP")
    break_it(theirs / "anna_AMP")
    got, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert (got, told in err) == (code, True), err
    assert not (tmp_path / "ours").exists()


def _cut(base: Path, name: str) -> None:
    path = base.with_name(f"{base.name}_{name}")
    path.write_bytes(path.read_bytes()[:-7])


def _put(base: Path, name: str, content: bytes) -> None:
    base.with_name(f"{base.name}_{name}").write_bytes(content)


def _gone(base: Path, name: str) -> None:
    base.with_name(f"{base.name}_{name}").unlink()


def _say(base: Path, iterations: int = 10, without: str = "", **options: Any) -> None:
    path = base.with_name(f"{base.name}_data.dat")
    old = read_data(path)
    changed = {name: v for name, v in {**old.options, **options}.items() if name != without}
    write_data(path, ModelData(iterations=iterations, options=changed, losses=old.losses))


def test_an_architecture_that_no_net_has_is_said(make_theirs, mien, tmp_path):
    theirs = make_theirs("SAEHD")
    path = theirs / "anna_SAEHD_data.dat"
    old = read_data(path)
    options = {**old.options, "archi": "dfhd"}
    write_data(path, ModelData(iterations=9, options=options, losses=old.losses))
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert (code, "archi 'dfhd': must be df or liae" in err) == (2, True)


def test_no_folder_and_no_model(make_theirs, mien, tmp_path):
    code, _, err = mien("import", "dfl-model", tmp_path / "none", "-o", tmp_path / "ours")
    assert (code, "is no folder" in err) == (5, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, err = mien("import", "dfl-model", empty, "-o", tmp_path / "ours")
    assert (code, "holds no model of DeepFaceLab's" in err) == (5, True)


def test_a_model_that_deepfacelab_does_not_have_and_one_that_is_there(
    make_model, make_theirs, mien, tmp_path
):
    code, _, err = mien("export", "dfl-model", make_model("original"), "-o", tmp_path / "out")
    assert code == 5
    assert "DeepFaceLab has no model like 'original'; it has: AMP, Quick96, SAEHD, XSeg" in err
    theirs = make_theirs("AMP")
    model = make_model("amp")
    code, _, err = mien("export", "dfl-model", model, "-o", theirs, "--name", "anna")
    assert code == 6
    assert "anna_AMP_data.dat: is there already" in err
    code, _, err = mien("export", "dfl-model", model, "-o", theirs, "--name", "a/b")
    assert code == 2
    shutil.rmtree(theirs)
    assert mien("export", "dfl-model", model, "-o", theirs)[0] == 0
