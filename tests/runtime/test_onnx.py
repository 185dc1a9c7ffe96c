"""Sessions and exports, where they go wrong."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mien import onnx
from mien.errors import PluginError, StageError, WeightsError
from mien.onnx import open_session, whole_file
from mien.stages import Session

pytest.importorskip("onnxruntime")
helper = pytest.importorskip("onnx.helper")


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A file of a net that adds its input to itself: (n, 2) float32."""
    import onnx as library

    shape = ["n", 2]
    value = [helper.make_tensor_value_info(name, library.TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "g", *[[v] for v in value]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path / "doubler.onnx"
    library.save(model, str(path))
    return path


class FakeRuntime(SimpleNamespace):
    """An onnxruntime that falls back to the CPU in silence, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(asked=[], entries={}, SessionOptions=self._options)

    def _options(self) -> Any:
        return SimpleNamespace(add_session_config_entry=self.entries.__setitem__)

    def InferenceSession(self, path: str, sess_options: Any, providers: list[Any]) -> Any:
        self.asked, self.given = providers, sess_options
        return SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])


def test_a_session_runs_on_the_cpu(doubler: Path) -> None:
    session = open_session(doubler)
    assert isinstance(session, Session)
    assert session.provider == "CPUExecutionProvider"
    (out,) = session.run(None, {"x": np.ones((3, 2), np.float32)})
    np.testing.assert_array_equal(out, np.full((3, 2), 2, np.float32))


def test_a_wrong_feed_is_told_with_its_shape(doubler: Path) -> None:
    session = open_session(doubler)
    with pytest.raises(StageError, match=r"doubler.onnx: the net failed on x \(1, 3\): "):
        session.run(None, {"x": np.ones((1, 3), np.float32)})


@pytest.mark.parametrize("content", [b"", b"no net at all"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad.onnx: not a usable ONNX file: .+remove it"):
        open_session(path)


def test_pools_do_not_spin_and_keep_to_their_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runtime = FakeRuntime()
    monkeypatch.setattr(onnx, "import_onnxruntime", lambda: runtime)
    open_session(tmp_path / "net.onnx", threads=3)
    assert runtime.entries == {"session.intra_op.allow_spinning": "0"}
    assert runtime.given.intra_op_num_threads == 3
    assert runtime.given.inter_op_num_threads == 1
    assert runtime.asked == ["CPUExecutionProvider"]


def test_a_gpu_that_was_asked_for_and_not_given_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runtime = FakeRuntime()
    monkeypatch.setattr(onnx, "import_onnxruntime", lambda: runtime)
    with pytest.raises(StageError, match=r"net.onnx: asked for cuda:1, but onnxruntime runs it on"):
        open_session(tmp_path / "net.onnx", device="cuda:1")
    first, second = runtime.asked
    assert first == ("CUDAExecutionProvider", {"device_id": 1, "use_tf32": 0})
    assert second == "CPUExecutionProvider"


def test_a_gpu_that_was_only_hoped_for_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(onnx, "import_onnxruntime", FakeRuntime)
    with caplog.at_level(logging.WARNING):
        session = open_session(tmp_path / "net.onnx", device="cuda:0", required=False)
    assert session.provider == "CPUExecutionProvider"
    assert "runs it on the CPU" in caplog.text


def test_a_missing_onnxruntime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PluginError, match=r"pip install 'mien\[onnx\]'"):
        open_session(Path("net.onnx"))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"

    def fail_half_way() -> None:
        with whole_file(path) as beside:
            beside.write_bytes(b"half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []
    with whole_file(path) as beside:
        beside.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_the_runtime_is_light() -> None:
    code = "import sys, mien.runtime; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "onnxruntime", "onnx", "cv2", "av", "numpy"} & set(done.stdout.split())


def test_a_net_runs_without_a_word_to_the_makers_of_the_runtime(
    doubler: Path, tmp_path: Path
) -> None:
    program = (
        "import sys, numpy, pathlib; from mien.onnx import open_session;"
        "net = open_session(pathlib.Path(sys.argv[1]), device='cpu', threads=1);"
        "net.run(None, {'x': numpy.ones((1, 2), 'f')})"
    )
    home = tmp_path / "home"
    home.mkdir()
    env = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    subprocess.run([sys.executable, "-c", program, str(doubler)], env=env, check=True)
    assert not list(home.rglob("*onnxruntime*"))
