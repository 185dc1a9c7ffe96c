"""Who leaves the cores to whom."""

from __future__ import annotations

import cv2
import pytest
from mien import cores
from mien.cores import opencv_shares_cores, usable_cores


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1


@pytest.mark.parametrize(("there", "share"), [(1, 1), (2, 1), (8, 2), (16, 4)])
def test_opencv_takes_a_steps_share_and_gets_its_threads_back(
    monkeypatch: pytest.MonkeyPatch, there: int, share: int
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: there)
    before, seen = cv2.getNumThreads(), []

    def fail() -> None:
        with opencv_shares_cores():
            seen.append(cv2.getNumThreads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [share]
    assert cv2.getNumThreads() == before
