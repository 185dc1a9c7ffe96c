"""What every benchmark shares: the machine, the versions, median and spread, one JSON on stdout."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("av", "numpy", "onnxruntime-gpu", "opencv-python", "torch")


def machine() -> dict[str, Any]:
    """The machine and the versions that the numbers belong to."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "mien": metadata.version("mien"),
        "packages": found,
    }


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """Median, smallest, largest and count."""
    return {
        "median": round(statistics.median(values), digits),
        "least": round(min(values), digits),
        "most": round(max(values), digits),
        "runs": len(values),
    }


def report(name: str, config: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    facts = {"benchmark": name, "machine": machine(), "config": config, "results": results}
    print(json.dumps(facts, indent=1))


def run_child(*words: str | Path, env: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run `python -m …` to its end; CPU seconds, wall seconds and peak memory in MB of the child.

    A process of its own watches it, so that the peak is this child's and nobody else's.
    """
    watcher = (
        "import json, resource, subprocess, sys, time\n"
        "began = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
        "wall = time.perf_counter() - began\n"
        "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "assert done.returncode == 0, done.stderr.decode()\n"
        "print(json.dumps({'cpu': use.ru_utime + use.ru_stime, 'wall': wall,"
        " 'peak_mb': use.ru_maxrss / 1024}))\n"
    )
    command = [sys.executable, "-c", watcher, sys.executable, *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **(env or {})}
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
