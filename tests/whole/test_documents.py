"""What README and docs say is true: their commands run, their settings are valid, their code is
the code of the example package."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from mien.cli import COMMANDS, program, run_program
from mien.config import load
from mien.keyframes import read_text
from mien.registry import Registry
from mien.training.plan import read_plan

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/*/README.md")])


def blocks(page: Path, language: str = "") -> list[str]:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def commands(page: Path) -> list[str]:
    found = [*blocks(page), *blocks(page, "sh")]
    lines = [line.split("  #")[0].strip() for block in found for line in block.splitlines()]
    return [line for line in lines if line.startswith("mien ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists_with_all_its_flags(page, capsys):
    for line in commands(page):
        words = shlex.split(line)[1:]
        assert run_program([*words, "--help"]) == 0, line
        shown = capsys.readouterr().out
        for flag in re.findall(r"(?<= )--?[a-z][a-z-]*", line):
            assert flag in shown, f"{page.name}: {line}: no {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_sentence_exists(page):
    for span in re.findall(r"`mien ([^`]+)`", page.read_text(encoding="utf-8")):
        name, *rest = span.split()
        if not name.islower() or name.startswith("-"):
            continue
        command = program.get_command(None, name)
        assert command is not None, f"{page.name}: mien {span}"
        if isinstance(command, click.Group) and rest and rest[0].islower():
            assert rest[0] in command.commands, f"{page.name}: mien {span}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_configuration_on_a_page_is_valid(page, tmp_path):
    for block in blocks(page, "toml"):
        if "[project]" in block:
            continue
        file = tmp_path / "mien.toml"
        file.write_text(block, encoding="utf-8")
        if block.startswith("[[stage]]"):
            read_plan(file)
            continue
        if block.startswith("[[key]]"):
            read_text(block, page.name)
            continue
        load(Registry.installed(), files=[file])


def test_the_code_of_the_plugin_page_is_the_code_of_the_example():
    example = ROOT / "tests" / "fixtures" / "mien-median"
    files = [path.read_text(encoding="utf-8") for path in example.rglob("*.py")]
    lines = {line for text in files for line in text.splitlines()}
    for block in blocks(ROOT / "docs" / "plugins.md", "python"):
        missing = [line for line in block.splitlines() if line not in lines]
        assert not missing


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_command_has_a_line_in_the_help():
    for name in COMMANDS:
        command = program.get_command(None, name)
        assert command is not None
        assert command.help


@pytest.mark.slow
def test_the_commands_of_the_readme_make_a_swapped_clip(
    shared: Callable[[str], Path], tmp_path, monkeypatch
):
    monkeypatch.setenv("MIEN_WEIGHTS", str(shared("weights")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    shutil.copy(shared("data/clips/grid_woman1.mpg"), tmp_path / "anna.mp4")
    shutil.copy(shared("data/clips/grid_man1.mpg"), tmp_path / "bert.mp4")
    (tmp_path / "mien.toml").write_text(
        "[train]\niterations = 3\n[model.original]\nwidth = 0.125\n"
    )
    (block,) = [b for b in blocks(ROOT / "README.md") if "mien train" in b]
    for line in block.splitlines():
        words = shlex.split(line.split("  #")[0])
        assert run_program(words[1:]) == 0, line
    for made in ("anna.png", "swapped.mp4", "swapped.png", "swapped.mp4.mien.toml"):
        assert (tmp_path / made).stat().st_size > 0
    assert run_program(["swap", "--config", "swapped.mp4.mien.toml", "-o", "again.mp4"]) == 0
