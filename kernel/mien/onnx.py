"""ONNX files: opens them as sessions, and makes them from torch modules.

Only functions import onnxruntime and torch: the program starts without both.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .atomic import sync, whole_file
from .errors import PluginError, StageError, WeightsError
from .stages import ExportPlan

_log = logging.getLogger(__name__)

NET = "net.onnx"
"""Name of a net in the folder of its export."""


class OrtSession:
    """An onnxruntime session whose errors are sentences."""

    def __init__(self, session: Any, name: str) -> None:
        self._session, self._name = session, name

    @property
    def provider(self) -> str:
        """Where it really runs, such as `CPUExecutionProvider`."""
        return str(self._session.get_providers()[0])

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any], /) -> list[Any]:
        """The named outputs, all where None.  Raises StageError where the net refuses the feed."""
        try:
            results: list[Any] = self._session.run(outputs, dict(feeds))
        except Exception as error:  # onnxruntime has a dozen classes with no common base
            shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in feeds.items())
            raise StageError(
                f"{self._name}: the net failed on {shapes}: {_first_line(error)}"
            ) from error
        return results


def open_session(
    path: Path,
    *,
    device: str = "cpu",
    threads: int = 1,
    precision: str = "fp32",
    required: bool = True,
) -> OrtSession:
    """A session over an ONNX file.

    device     `cpu` or `cuda:N`;  threads  CPU threads of this session
    precision  `fp16` lets a GPU round inside convolutions (TF32), `fp32` does not
    required   a GPU that cannot be used is an error; else a warning, and the CPU does the work
    Raises WeightsError for a damaged file, StageError where the device cannot be had, PluginError
    without onnxruntime.
    """
    ort = import_onnxruntime()
    on_gpu = device.startswith("cuda")
    if on_gpu and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    try:
        session = ort.InferenceSession(
            str(path),
            sess_options=_session_options(ort, threads),
            providers=_providers(device, precision),
        )
    except Exception as error:  # onnxruntime has a dozen classes with no common base
        raise WeightsError(
            f"{path}: not a usable ONNX file: {_first_line(error)}; remove it and fetch it again"
        ) from error
    opened = OrtSession(session, path.name)
    # Without its CUDA libraries onnxruntime takes the CPU and says nothing.
    if on_gpu and opened.provider != "CUDAExecutionProvider":
        told = (
            f"{path.name}: asked for {device}, but onnxruntime runs it on the CPU; install CUDA "
            "with 'pip install onnxruntime-gpu[cuda,cudnn]', or set device = \"cpu\""
        )
        if required:
            raise StageError(told)
        _log.warning("%s", told)
    return opened


def export_onnx(plan: ExportPlan, path: Path, *, half: bool = False) -> None:
    """Write a torch module as an ONNX file, whole or not at all, weights inside.

    half  the net works in float16 inside; what goes in and comes out stays as the plan says
    Axes that share a name in `plan.dynamic` change together.  Raises StageError where torch
    cannot express the module, PluginError without torch and onnx.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        _export(plan, beside, half=half, weights_beside=False)


def export_folder(
    plan: ExportPlan, folder: Path, *, half: bool = False, for_cpu: bool = False
) -> None:
    """As `export_onnx`, but into a folder: the net, and its weights in a file beside it.

    for_cpu  large convolutions are rewritten as `winograd` does it
    Such a net is opened in a third of the time: the weights are mapped from the disk, where those
    inside an ONNX file are read and copied.  The folder appears whole or not at
    all; where another run made it meanwhile, that one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as place:
        made = Path(place) / folder.name
        made.mkdir()
        _export(plan, made / NET, half=half, weights_beside=True)
        if for_cpu:
            _quicken(plan, made / NET)
        for file in made.iterdir():
            sync(file)
        try:
            made.rename(folder)
        except OSError:
            if (folder / NET).is_file():
                return
            # What is left of one that somebody was removing.
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)


def bytes_of(path: Path) -> int:
    """Size of a net's file together with the weights beside it."""
    weights = path.with_name(f"{path.name}.data")
    return path.stat().st_size + (weights.stat().st_size if weights.exists() else 0)


def _export(plan: ExportPlan, path: Path, *, half: bool, weights_beside: bool) -> None:
    torch = _import_exporter()
    named: dict[str, Any] = {}
    shapes = [
        {
            axis: named.setdefault(name, torch.export.Dim(name))
            for axis, name in plan.dynamic.get(key, {}).items()
        }
        for key in plan.input_names
    ]
    with _quiet():
        try:
            torch.onnx.export(
                _halved(plan.module) if half else plan.module,
                plan.inputs,
                path,
                input_names=list(plan.input_names),
                output_names=list(plan.output_names),
                # `Halved` takes all inputs as one tuple.
                dynamic_shapes=(tuple(shapes),) if half else tuple(shapes),
                external_data=weights_beside,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise StageError(
                f"{type(plan.module).__name__}: torch cannot write it as ONNX: {_first_line(error)}"
            ) from error


def _quicken(plan: ExportPlan, path: Path) -> None:
    import onnx

    from .winograd import quicken

    model = onnx.load(path)
    usual = [tuple(each.shape) for each in plan.inputs]
    if not quicken(model, dict(zip(plan.input_names, usual, strict=True))):
        return
    weights = path.with_name(f"{path.name}.data")
    weights.unlink(missing_ok=True)  # onnx would write behind what is there
    onnx.save_model(model, path, save_as_external_data=True, location=weights.name)


def _halved(module: Any) -> Any:
    """The module in float16, between casts of its floating inputs and outputs."""
    import torch

    class Halved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = module.half()

        def forward(self, *inputs: Any) -> Any:
            fed = [each.half() if each.is_floating_point() else each for each in inputs]
            out = self.net(*fed)
            if isinstance(out, torch.Tensor):
                return out.float()
            return tuple(each.float() for each in out)

    return Halved().eval()


def import_onnxruntime() -> Any:
    """The onnxruntime module.  Raises PluginError that says what to install."""
    try:
        import onnxruntime
    except ImportError as error:
        raise PluginError(
            f"onnxruntime cannot be imported ({error}); install it with pip install 'mien[onnx]'"
        ) from error
    return onnxruntime


def _import_exporter() -> Any:
    try:
        import onnx
        import onnxscript
        import torch
    except ImportError as error:
        raise PluginError(
            f"this net must be exported once with torch, onnx and onnxscript ({error}); "
            "install them with pip install 'mien[torch]'"
        ) from error
    del onnx, onnxscript
    return torch


def _session_options(ort: Any, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Several stages share the cores: a pool that spins while it waits takes 30 % of them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _providers(device: str, precision: str) -> list[Any]:
    if not device.startswith("cuda"):
        return ["CPUExecutionProvider"]
    facts = {
        "device_id": int(device.partition(":")[2] or 0),
        "use_tf32": int(precision != "fp32"),
    }
    return [("CUDAExecutionProvider", facts), "CPUExecutionProvider"]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its steps and warns of its own insides; none of it concerns a user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", ".*shares the same shape constraints")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip()
