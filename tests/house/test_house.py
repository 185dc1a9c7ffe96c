"""The house itself: who may import whom, what start-up may load, what every page must say."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mien import errors, hooks
from mien.registry import CATALOGUES, KNOWN_DISTS

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "kernel" / "mien"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml"))
HEAVY = {"torch", "onnxruntime", "onnx", "cv2", "av", "numpy", "rich", "safetensors"}

# room: the rooms of the kernel that it may not import, at any level
FORBIDDEN = {
    "types": {"*"},
    "options": {"config", "registry", "runner", "cli", "pipeline"},
    "errors": {"*"},
    "hooks": {"registry", "runner", "cli", "pipeline", "config"},
    "stages": {"registry", "runner", "cli", "pipeline", "config"},
    "runner": {"config", "registry", "cli", "pipeline", "types", "arrays", "options"},
    "registry": {"runner", "cli", "pipeline"},
    "config": {"runner", "cli", "pipeline"},
    "geometry": {"cli", "registry", "config", "runner", "pipeline"},
    "colour": {"cli", "registry", "config", "runner", "pipeline"},
    "merging": {"cli", "registry", "config", "finding"},
    "keyframes": {"cli", "registry", "config", "runner", "finding", "jobs"},
    "media": {"cli", "registry", "config", "runner", "pipeline"},
    "workspace": {"cli", "registry", "config", "runner", "pipeline"},
    "training": {"cli", "registry", "runner", "pipeline"},
    "lent": {"registry", "runner", "cli", "pipeline", "config"},
    "nets": {"cli", "registry", "runner", "pipeline"},
    "export": {"cli", "registry", "runner", "pipeline"},
    "faceset": {"cli", "registry", "config", "runner", "pipeline"},
    "curation": {"cli", "registry", "config", "runner", "pipeline"},
    "finding": {"cli", "registry", "config"},
    "labels": {"cli", "registry", "config", "runner", "pipeline"},
    "drawing": {"cli", "registry", "config", "runner", "pipeline"},
    "pipeline": {"cli", "registry", "config", "finding"},
    "jobs": {"cli"},
}


def modules(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names that a module imports, with the line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = KERNEL in path.parents
    package = ["mien", *path.relative_to(KERNEL).parent.parts] if inside else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name, node.lineno
            yield from ((f"{name}.{alias.name}", node.lineno) for alias in node.names)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_import_only_what_they_may(room):
    place = KERNEL / room
    files = list(modules(place)) if place.is_dir() else [KERNEL / f"{room}.py"]
    wrong = []
    for file in files:
        for name, line in imports(file):
            parts = name.split(".")
            if parts[0] != "mien" or len(parts) < 2 or parts[1] == room:
                continue
            if ("*" in FORBIDDEN[room] and parts[1] != "arrays") or parts[1] in FORBIDDEN[room]:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong


def test_the_runner_knows_no_numpy():
    assert not {name for name, _ in imports(KERNEL / "runner.py")} & HEAVY


def test_no_room_of_the_kernel_imports_a_plugin():
    names = {path.name for plugin in PLUGINS for path in plugin.iterdir() if path.is_dir()}
    wrong = [
        f"{file}:{line}"
        for file in modules(KERNEL)
        for name, line in imports(file)
        if name.split(".")[0] in names - {"tests"}
    ]
    assert not wrong


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_public_names_of_the_kernel_and_no_other_plugin(plugin):
    package = next(path for path in plugin.iterdir() if path.name.startswith("mien_"))
    wrong = []
    for file in modules(package):
        for name, line in imports(file):
            first = name.split(".")[0]
            other = first.startswith("mien_") and first != package.name
            private = first == "mien" and any(part.startswith("_") for part in name.split("."))
            if other or private or name.startswith(("mien.cli", "mien.runner", "mien.registry")):
                wrong.append(f"{file.name}:{line} imports {name}")
    assert not wrong


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_is_a_whole_distribution(plugin):
    text = (plugin / "pyproject.toml").read_text(encoding="utf-8")
    assert "[project.entry-points.mien]" in text
    assert 'license = "Apache-2.0"' in text
    assert (plugin / "README.md").read_text(encoding="utf-8").strip()
    assert list(plugin.glob("tests/test_*.py"))
    assert list(plugin.glob("mien_*/py.typed"))


def test_every_plugin_of_the_repository_is_known_by_its_distribution():
    names = {
        re.search(r'^name = "(.+)"', (plugin / "pyproject.toml").read_text(), re.M).group(1)
        for plugin in PLUGINS
    }
    assert names == set(KNOWN_DISTS.values())


def test_help_and_the_list_of_plugins_load_nothing_heavy():
    code = (
        "import sys; from mien.cli import run_program; run_program(['--help']);"
        "run_program(['plugins', 'list']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


def test_every_hook_is_documented_and_every_catalogue_is_a_hook():
    found = {name for name in vars(hooks) if name.startswith("mien_")}
    assert set(CATALOGUES) <= found
    for name in found:
        assert inspect.getdoc(getattr(hooks, name)), name


def test_exit_codes_are_distinct_and_documented():
    codes = [error.exit_code for error in errors.ALL_ERRORS]
    assert len(set(codes)) == len(codes)
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for error in errors.ALL_ERRORS:
        assert f"| {error.exit_code} | {error.meaning} |" in page


def test_files_have_one_job():
    long = {
        str(path.relative_to(ROOT)): count
        for folder in (KERNEL, ROOT / "plugins", ROOT / "benchmarks")
        for path in modules(folder)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 420
    }
    assert not long


def test_nothing_dangerous_is_called():
    wrong = []
    pattern = re.compile(r"pickle\.load|weights_only=False|shell=True|(?<!\.)\beval\(|\bexec\(")
    for folder in (KERNEL, ROOT / "plugins", ROOT / "benchmarks"):
        for file in modules(folder):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if pattern.search(line):
                    wrong.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not wrong


def test_public_names_change_only_on_purpose():
    """Plugins stand on these names: add to the list freely, remove from it with a new version."""
    listed = json.loads((ROOT / "tests" / "house" / "api.json").read_text(encoding="utf-8"))
    for room, names in listed.items():
        module = importlib.import_module(f"mien.{room}")
        missing = [name for name in names if not hasattr(module, name)]
        assert not missing, f"mien.{room} lost {missing}"
