"""A package by somebody else, outside `plugins/`, is there as soon as it is installed."""

from __future__ import annotations

import pytest
from mien.cli import run_program
from mien.registry import Registry
from mien.stages import ColorTransferProvider


@pytest.fixture(autouse=True)
def installed():
    pytest.importorskip("mien_median", reason="make test installs it from tests/fixtures")


def test_it_is_found_by_its_entry_point():
    entry = Registry.installed().entry("color", "median")
    assert (entry.dist, entry.version) == ("mien-median", "0.3.0")
    assert isinstance(entry.provider, ColorTransferProvider)


def test_its_options_appear_in_help_configuration_and_show(capsys):
    assert run_program(["swap", "--color", "median", "--help"]) == 0
    assert "--median-strength X" in capsys.readouterr().out
    assert run_program(["plugins", "show", "median"]) == 0
    assert "[0..1; default: 1.0]" in capsys.readouterr().out
    assert run_program(["swap", "--set", "color.median.strength=2", "-o", "o.mp4", "x.mp4"]) == 2
    assert "color.median.strength: must be 0..1, is 2" in capsys.readouterr().err
