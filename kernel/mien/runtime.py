"""What a run lends its stages: device, threads, seed, weights and sessions.

Every run makes its own context; nothing here is process-wide.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from .cores import usable_cores
from .errors import ConfigError, WeightsError
from .onnx import NET, bytes_of, export_folder, import_onnxruntime, open_session
from .stages import ExportPlan, Session, WeightFile
from .weights import WeightStore, default_cache

if TYPE_CHECKING:
    import numpy as np

    from .faceset import Faceset, FaceStore


Reader: TypeAlias = "Callable[[Path], FaceStore | None]"

_log = logging.getLogger(__name__)


def _reads_none(path: Path) -> None:
    """No plugin knows other programs' facesets."""


SMALL_NET = 8 << 20
"""Bytes of a net that gains little from many threads, while other stages wait for a core: with half
of two cores each, extraction goes from 52 to 58 frames a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The `mien.stages.Context` of one run; `make_context` makes it from a user's words.

    device    `cpu` or `cuda:N`;  required  the user asked for this very device
    threads   CPU threads of each session;  shared  small nets leave half of them to others
    store     where weights are;  exports  folder of exported nets
    reader    gives the store of a faceset that another program made, else None
    """

    device: str
    precision: str
    threads: int
    seed: int
    store: WeightStore
    exports: Path
    required: bool = False
    shared: bool = False
    reader: Reader = _reads_none

    def rng(self, *names: str | int) -> np.random.Generator:
        """A generator that depends on the run's seed and these names, and on nothing else."""
        import numpy as np

        digest = hashlib.sha256(repr((self.seed, names)).encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))

    def weights(self, file: WeightFile) -> Path:
        """The verified file on this machine, or WeightsError that says how to get it."""
        return self.store.find(file)

    def onnx(self, model: WeightFile | Path) -> Session:
        """A session over an ONNX file."""
        path = self.weights(model) if isinstance(model, WeightFile) else model
        small = self.shared and bytes_of(path) <= SMALL_NET
        return open_session(
            path,
            device=self.device,
            threads=max(1, self.threads // 2) if small else self.threads,
            precision=self.precision,
            required=self.required,
        )

    def exported(self, key: str, build: Callable[[], ExportPlan]) -> Session:
        """A session over an exported net; `build` runs only where the cache holds no `key`.

        Two runs may ask at once: each writes a whole folder, and the first one stays.  With
        precision `fp16` the net computes in float16 and still takes and gives float32; for the CPU
        its large convolutions are rewritten (`winograd`).
        """
        half = self.precision == "fp16"
        for_cpu = self.device == "cpu"
        words = f"{key}, {_exporter_versions()}"
        words += ", float16" if half else ", winograd 1" if for_cpu else ""
        digest = hashlib.sha256(words.encode()).hexdigest()
        folder = self.exports / digest
        path = folder / NET
        if path.is_file():
            try:
                return self.onnx(path)
            except WeightsError:
                shutil.rmtree(folder, ignore_errors=True)
        _log.info("making an ONNX file of a net, which is done once and takes some seconds")
        export_folder(build(), folder, half=half, for_cpu=for_cpu)
        return self.onnx(path)

    def faceset(self, path: Path) -> Faceset:
        """The faces of a folder, or of another program's file, by whichever plugin knows it."""
        from .faceset import Faceset

        return Faceset(path, self.reader(path) if path.exists() else None)


def make_context(
    device: str = "auto",
    precision: Literal["auto", "fp32", "fp16"] = "auto",
    threads: int = 0,
    seed: int = 0,
    weight_folders: Sequence[Path] = (),
    offline: bool = False,
    cache: Path | None = None,
    reader: Reader = _reads_none,
) -> RunContext:
    """A context from the words of a configuration.

    device   `auto`, `cpu`, `cuda` or `cuda:N`;  threads  0 for all that this process may use
    cache    the program's cache folder, with `weights` and `onnx` in it
    reader   gives the store of a faceset that another program made, else None
    Raises ConfigError where the device or the precision cannot be had.
    """
    chosen = _choose_device(device)
    if precision == "fp16" and chosen == "cpu":
        raise ConfigError(
            "precision: 'fp16' is more than a hundred times slower than 'fp32' on the CPU; "
            'set precision = "fp32", or a CUDA device'
        )
    if precision == "auto":
        precision = "fp32" if chosen == "cpu" else "fp16"
    root = cache if cache is not None else default_cache(os.environ)
    return RunContext(
        device=chosen,
        precision=precision,
        threads=threads or usable_cores(),
        seed=seed,
        store=WeightStore(weight_folders, root / "weights", offline),
        exports=root / "onnx",
        required=device != "auto",
        shared=threads == 0,
        reader=reader,
    )


def count_cuda_devices() -> int:
    """How many CUDA devices the driver shows this process, without importing torch or ORT."""
    names = {"win32": "nvcuda.dll", "darwin": ""}
    name = names.get(sys.platform, "libcuda.so.1")
    if not name:
        return 0
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _choose_device(asked: str) -> str:
    kind, _, number = asked.partition(":")
    known = asked in ("auto", "cpu", "cuda") or (kind == "cuda" and number.isdecimal())
    if not known:
        raise ConfigError(f"device: must be auto, cpu, cuda or cuda:N, is '{asked}'")
    if asked == "cpu":
        return "cpu"
    there = count_cuda_devices()
    if asked == "auto":
        return "cuda:0" if there and _runtime_knows_cuda() else "cpu"
    index = int(number or 0)
    if index >= there:
        seen = f"only cuda:0..{there - 1}" if there > 1 else "only cuda:0" if there else "no CUDA"
        raise ConfigError(
            f"device: '{asked}' is asked for, but the driver shows {seen} device; "
            'set device = "cpu" or "auto"'
        )
    return f"cuda:{index}"


def _runtime_knows_cuda() -> bool:
    return "CUDAExecutionProvider" in import_onnxruntime().get_available_providers()


def _exporter_versions() -> str:
    """The versions that an exported file depends on, read without importing them."""
    found = []
    for name in ("torch", "onnxscript"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)
