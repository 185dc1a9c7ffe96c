"""The fuzzing script runs, and a few files of every format do no harm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_few_mutated_files_of_every_format_are_read_or_refused() -> None:
    script = Path(__file__).with_name("mutate.py")
    # A process of its own: what it listens to, and its limit of memory, cannot be taken back.
    done = subprocess.run(
        [sys.executable, str(script), "--count", "40"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(figures) == 18
    assert all(each["read"] + each["refused"] == 40 for each in figures)
