"""Fixtures that every test of the repository may use, the plugins' own tests too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failing test.
settings.register_profile("mien", deadline=None)
settings.load_profile("mien")

SHARED = Path(os.environ.get("MIEN_SHARED", Path(__file__).resolve().parent.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a shared reference file, such as `golden/nets/fan_decode.npz`; skips without it."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"reference data '{name}' is not on this machine")
        return path

    return find
