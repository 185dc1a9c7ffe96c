"""What `mien doctor` looks at: one function a question, one sentence an answer."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from .config import KINDS, NONE
from .registry import Registry

State = Literal["good", "note", "bad"]

OPENCV_PACKAGES = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")
RUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer: how it is, and what to do where it is not good."""

    state: State
    text: str
    help: str = ""


def examine(registry: Registry) -> Iterator[Finding]:
    """All questions, in the order in which a new machine fails them."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _opencv,
        _onnxruntime,
        _torch,
        _video,
        lambda: _plugins(registry),
        lambda: _weights(registry),
        _folders,
    )
    for check in checks:
        yield from check()


def explain_import(error: ImportError) -> str:
    """What to do about a library that does not load; empty where nobody knows."""
    text = str(error)
    if "libGL" in text or "libgthread" in text or "libglib" in text:
        return (
            f"OpenCV cannot start ({text}); "
            "install what it needs: sudo apt-get install -y libgl1 libglib2.0-0"
        )
    extras = {"torch": "torch", "safetensors": "torch", "onnxruntime": "onnx", "onnx": "torch"}
    extra = extras.get(error.name or "")
    if extra:
        return f"{error.name} is not installed; install it with: pip install 'mien[{extra}]'"
    return ""


def _python() -> Iterator[Finding]:
    yield Finding(
        state="good",
        text=f"mien {metadata.version('mien')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )


def _opencv() -> Iterator[Finding]:
    there = _installed(OPENCV_PACKAGES)
    if len(there) > 1:
        yield Finding(
            state="bad",
            text=f"{' and '.join(there)} overwrite each other",
            help=f"pip uninstall -y {' '.join(there)} && pip install opencv-python",
        )
    try:
        import cv2
    except ImportError as error:
        help_text = explain_import(error) or "pip install --force-reinstall opencv-python"
        yield Finding(state="bad", text=f"OpenCV does not load: {error}", help=help_text)
        return
    yield Finding(state="good", text=f"OpenCV {cv2.__version__}")


def _onnxruntime() -> Iterator[Finding]:
    there = _installed(RUNTIME_PACKAGES)
    if len(there) > 1:
        yield Finding(
            state="bad",
            text=f"{' and '.join(there)} overwrite each other",
            help=f"pip uninstall -y {' '.join(there)} && pip install onnxruntime-gpu",
        )
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding(
            state="bad",
            text=f"ONNX Runtime does not load: {error}",
            help="pip install 'mien[onnx]'",
        )
        return
    names = [
        name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()
    ]
    yield Finding(
        state="good", text=f"ONNX Runtime {onnxruntime.__version__}, built for {', '.join(names)}"
    )


def _torch() -> Iterator[Finding]:
    from .runtime import count_cuda_devices

    try:
        import torch
    except ImportError as error:
        yield Finding(
            state="note",
            text=f"torch does not load ({error}): no training, no export of nets",
            help="pip install 'mien[torch]'",
        )
        return
    cuda = count_cuda_devices()
    where = f"{cuda} CUDA device{'s' if cuda != 1 else ''}" if cuda else "no CUDA device, the CPU"
    yield Finding(state="good", text=f"torch {torch.__version__}; nets run on {where}")


def _video() -> Iterator[Finding]:
    try:
        import av
    except ImportError as error:
        yield Finding(
            state="bad",
            text=f"PyAV does not load: {error}",
            help="pip install --force-reinstall av",
        )
        return
    missing = [
        name
        for name in ("libx264", "libx265", "ffv1", "prores_ks", "aac")
        if name not in av.codecs_available
    ]
    if missing:
        yield Finding(
            state="note",
            text=f"PyAV {av.__version__} cannot write {', '.join(missing)}",
            help="pip install --force-reinstall --only-binary av av",
        )
    else:
        yield Finding(state="good", text=f"PyAV {av.__version__} with h264, h265, ffv1, prores")


def _plugins(registry: Registry) -> Iterator[Finding]:
    for broken in registry.broken:
        yield Finding(
            state="bad",
            text=f"plugin {broken.dist} {broken.reason}",
            help=f"pip install -U {broken.dist}, or pip uninstall {broken.dist}",
        )
    count = sum(1 for _ in registry.entries())
    yield Finding(state="good", text=f"{count} plugins: see mien plugins list")
    for kind, usual in KINDS.items():
        if usual != NONE and not registry.names(kind):
            yield Finding(
                state="note", text=f"no {kind} is installed", help="see docs/plugins.md for a list"
            )


def _weights(registry: Registry) -> Iterator[Finding]:
    from .weights import WeightStore, default_cache, default_folders

    store = WeightStore(default_folders(os.environ), default_cache(os.environ) / "weights")
    for entry in registry.entries():
        chosen = KINDS[entry.provider.kind]
        names = (chosen,) if isinstance(chosen, str) else chosen
        files = entry.provider.weights
        if entry.provider.name not in names or not files:
            continue
        ready = [file for file in files if store.status(file).usable]
        if ready:
            yield Finding(state="good", text=f"weights of {entry.provider.name}: {ready[0].name}")
        else:
            yield Finding(
                state="note",
                text=f"weights of {entry.provider.name} are not on this machine",
                help=f"mien weights pull {files[0].name}, or name their folder in MIEN_WEIGHTS",
            )


def _folders() -> Iterator[Finding]:
    from .weights import default_cache

    cache = default_cache(os.environ)
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    if not os.access(place, os.W_OK):
        yield Finding(
            state="bad",
            text=f"the cache {cache} cannot be written",
            help="set XDG_CACHE_HOME to a folder that can",
        )
    state: State = "good" if free > 2 else "note"
    yield Finding(
        state=state,
        text=f"cache {cache}, {free:.0f} GB free; temporary files in {Path(tempfile.gettempdir())}",
        help="" if free > 2 else "make room: exported nets and downloads need about 2 GB",
    )


def _installed(names: tuple[str, ...]) -> list[str]:
    there = []
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        there.append(name)
    return there
