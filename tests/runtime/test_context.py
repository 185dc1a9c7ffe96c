"""The context of a run: device, chance, exported nets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien import runtime
from mien.errors import ConfigError
from mien.onnx import bytes_of, export_folder, export_onnx, open_session
from mien.runtime import RunContext, make_context
from mien.stages import Context, ExportPlan, WeightFile

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def plan_of(factor: float) -> ExportPlan:
    class Scale(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, image: object) -> object:
            return image * factor  # type: ignore[operator]

    return ExportPlan(
        module=Scale().eval(),
        inputs=(torch.zeros(2, 3, 8, 8),),
        input_names=("image",),
        output_names=("scaled",),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )


def never() -> ExportPlan:
    raise AssertionError("built although the cache holds it")


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return make_context(device="cpu", threads=1, cache=tmp_path)


def cuda_devices(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(runtime, "count_cuda_devices", lambda: count)


def test_a_run_context_is_a_context(context: RunContext) -> None:
    lent: Context = context
    assert (lent.device, lent.precision, lent.threads, lent.seed) == ("cpu", "fp32", 1, 0)


def test_auto_takes_the_cpu_where_the_driver_shows_no_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cuda_devices(monkeypatch, 0)
    assert make_context(cache=tmp_path).device == "cpu"


def test_auto_takes_the_gpu_where_driver_and_runtime_have_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cuda_devices(monkeypatch, 1)
    monkeypatch.setattr(runtime, "_runtime_knows_cuda", lambda: True)
    context = make_context(cache=tmp_path)
    assert (context.device, context.precision, context.required) == ("cuda:0", "fp16", False)
    monkeypatch.setattr(runtime, "_runtime_knows_cuda", lambda: False)
    assert make_context(cache=tmp_path).device == "cpu"


@pytest.mark.parametrize(
    ("there", "asked", "sentence"),
    [
        (0, "cuda", "device: 'cuda' is asked for, but the driver shows no CUDA device"),
        (1, "cuda:1", "device: 'cuda:1' is asked for, but the driver shows only cuda:0 device"),
        (2, "cuda:5", "device: 'cuda:5' is asked for, but the driver shows only cuda:0..1 device"),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, there: int, asked: str, sentence: str
) -> None:
    cuda_devices(monkeypatch, there)
    with pytest.raises(ConfigError) as caught:
        make_context(device=asked)
    assert str(caught.value) == f'{sentence}; set device = "cpu" or "auto"'


@pytest.mark.parametrize("word", ["gpu", "cuda:", "cuda:x", "", "cpu:0"])
def test_a_word_that_is_no_device_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="device: must be auto, cpu, cuda or cuda:N, is"):
        make_context(device=word)


def test_half_precision_on_the_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="a hundred times slower"):
        make_context(device="cpu", precision="fp16")


def test_chance_depends_on_seed_and_names_only(tmp_path: Path) -> None:
    def draw(seed: int, *names: str | int) -> float:
        return float(make_context(device="cpu", seed=seed, cache=tmp_path).rng(*names).random())

    assert draw(1, "augment", 3) == draw(1, "augment", 3)
    others = {draw(1, "augment", 3), draw(2, "augment", 3), draw(1, "augment", 4), draw(1)}
    assert len(others | {draw(1, "augment", "3"), draw(1, "augment3")}) == 6


def test_weights_come_from_the_named_folders(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(b"net")
    file = WeightFile(name="net.bin", size=3, sha256=hashlib.sha256(b"net").hexdigest())
    context = make_context(device="cpu", weight_folders=[tmp_path], cache=tmp_path / "cache")
    assert context.weights(file) == tmp_path / "net.bin"


def net_with_weights(seed: int = 0) -> ExportPlan:
    torch.manual_seed(seed)
    return ExportPlan(
        module=torch.nn.Conv2d(3, 64, 5).eval(),
        inputs=(torch.zeros(2, 3, 8, 8),),
        input_names=("image",),
        output_names=("maps",),
        dynamic={"image": {0: "batch"}},
    )


def damage_net(folder: Path) -> None:
    path = folder / "net.onnx"
    path.write_bytes(path.read_bytes()[:50])


def damage_weights(folder: Path) -> None:
    path = folder / "net.onnx.data"
    path.write_bytes(path.read_bytes()[:50])


def lose_weights(folder: Path) -> None:
    (folder / "net.onnx.data").unlink()


def lose_net(folder: Path) -> None:
    (folder / "net.onnx").unlink()


@pytest.mark.parametrize("damage", [damage_net, damage_weights, lose_weights, lose_net])
def test_a_net_is_exported_once_and_again_where_it_is_damaged(
    context: RunContext, damage: Callable[[Path], None]
) -> None:
    image = np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
    (wanted,) = context.exported("net", net_with_weights).run(None, {"image": image})
    context.exported("net", never)
    (folder,) = context.exports.iterdir()
    assert {each.name for each in folder.iterdir()} == {"net.onnx", "net.onnx.data"}
    damage(folder)
    (again,) = context.exported("net", net_with_weights).run(["maps"], {"image": image})
    np.testing.assert_array_equal(again, wanted)
    assert list(context.exports.iterdir()) == [folder]
    assert {each.name for each in folder.iterdir()} == {"net.onnx", "net.onnx.data"}


def test_a_net_that_another_run_exported_meanwhile_stays(context: RunContext) -> None:
    folder = context.exports / "net"
    export_folder(net_with_weights(1), folder)
    first = (folder / "net.onnx.data").read_bytes()
    export_folder(net_with_weights(2), folder)
    assert (folder / "net.onnx.data").read_bytes() == first
    assert list(context.exports.iterdir()) == [folder]


def test_weights_beside_a_net_change_no_bit(context: RunContext, tmp_path: Path) -> None:
    plan = net_with_weights()
    export_onnx(plan, tmp_path / "one.onnx")
    export_folder(plan, tmp_path / "two")
    assert bytes_of(tmp_path / "two" / "net.onnx") > 64 * 3 * 5 * 5 * 4
    image = {"image": np.random.default_rng(0).random((3, 3, 8, 8), np.float32)}
    (one,) = open_session(tmp_path / "one.onnx").run(None, image)
    (two,) = open_session(tmp_path / "two" / "net.onnx").run(None, image)
    np.testing.assert_array_equal(one, two)


def test_another_key_or_another_torch_is_another_file(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(
        runtime, "export_folder", lambda _plan, path, **_kinds: written.append(path)
    )
    monkeypatch.setattr(runtime, "open_session", lambda *_args, **_settings: None)
    for key in ("scale 3", "scale 5", "scale 3"):
        context.exported(key, lambda: plan_of(1.0))
    monkeypatch.setattr(runtime.metadata, "version", lambda _name: "999")
    context.exported("scale 3", lambda: plan_of(1.0))
    context = replace(context, precision="fp16")
    context.exported("scale 3", lambda: plan_of(1.0))
    # On a GPU nothing is rewritten, so what the CPU uses is not for it.
    context = replace(context, precision="fp32", device="cuda:0")
    context.exported("scale 3", lambda: plan_of(1.0))
    assert len(written) == 6
    assert len(set(written)) == 5


def test_a_half_precision_net_takes_and_gives_whole_numbers(tmp_path: Path) -> None:
    class Two(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.norm = torch.nn.BatchNorm2d(4)

        def forward(self, image: Any) -> Any:
            found = self.norm(self.conv(image))
            return found, found.mean((2, 3))

    torch.manual_seed(3)
    net, image = Two().eval(), torch.rand(3, 3, 12, 12)
    with torch.no_grad():
        wanted = [part.numpy() for part in net(image)]
    plan = ExportPlan(
        module=net,
        inputs=(torch.rand(2, 3, 8, 8),),
        input_names=("image",),
        output_names=("maps", "averages"),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )
    export_onnx(plan, tmp_path / "half.onnx", half=True)
    given = open_session(tmp_path / "half.onnx").run(None, {"image": image.numpy()})
    for one, other in zip(given, wanted, strict=True):
        assert one.dtype == np.float32
        assert 0 < np.abs(one - other).max() < 5e-3
