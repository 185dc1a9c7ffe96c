"""A signal asks a running training for a sheet."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from mien.cli.signals import interruptible, touched_on_signal

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal here")


def test_the_signal_makes_the_file_while_it_is_listened_to(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with touched_on_signal(tmp_path / "preview.now"):
        assert not (tmp_path / "preview.now").exists()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert (tmp_path / "preview.now").exists()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_folder_that_is_not_there_yet_does_no_harm(tmp_path: Path) -> None:
    with touched_on_signal(tmp_path / "model" / "preview.now"):
        os.kill(os.getpid(), signal.SIGUSR1)


def test_another_thread_gets_no_signals(tmp_path: Path) -> None:
    before, errors = signal.getsignal(signal.SIGUSR1), list[BaseException]()

    def work() -> None:
        try:
            with touched_on_signal(tmp_path / "preview.now"):
                assert signal.getsignal(signal.SIGUSR1) is before
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors


@pytest.mark.parametrize(("run_id", "ended"), [("", True), ("0", False)])
def test_what_torchrun_passes_on_is_the_same_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, run_id: str, ended: bool
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if run_id:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", run_id)
    cancel, reached = threading.Event(), False
    try:
        with interruptible(cancel):
            for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
            reached = True
    except KeyboardInterrupt:
        pass
    assert cancel.is_set()
    assert reached is not ended
