"""Places where a job writes: never the clip that it reads, and never two jobs in one place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import ConfigError, MienError, OutputError
from ..lock import one_at_a_time
from ..media.files import PICTURES, counter

if TYPE_CHECKING:
    from .run import Run


class Keeps(Protocol):
    """A writer that can leave what it has."""

    def keep_partial(self) -> Path | None:
        """Complete what there is; None if nothing was written."""
        ...


def check_output(output: str, *clips: str) -> None:
    """Refuse a result that is a clip still being read, by ConfigError."""
    if not output:
        return
    place = Path(output).resolve()
    if any(clip and Path(clip).resolve() == place for clip in clips):
        what = "is the clip itself" if len(clips) == 1 else "is one of the clips"
        raise ConfigError(f"-o {output}: {what}; name another file")


def check_picture(path: Path, *others: str) -> None:
    """Refuse, before any work, a picture that could not be written when it is done.

    others  the clip that is read, and what is written besides
    Raises ConfigError where it would take the place of one of them, OutputError for a folder or a
    file type that will not do.
    """
    if any(other and Path(other).resolve() == path.resolve() for other in others):
        raise ConfigError(f"{path}: is a clip of this run; name another file for the picture")
    if path.suffix.lower() not in PICTURES:
        raise OutputError(f"{path}: pictures cannot be written as '{path.suffix}'; use .png")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise OutputError(f"{path}: '{above}' is a file, so there can be no folder of that name")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: no permission to write into '{above}'")


@contextlib.contextmanager
def writing_alone(*outputs: str | Path | None) -> Iterator[None]:
    """Hold the places against other runs, which would write into the same unfinished files.

    Raises OutputError for a place that another run holds.  What cannot be locked is not: whether it
    can be written is for its writer to say.
    """
    places = {_lock_of(Path(output)): output for output in outputs if output}
    with contextlib.ExitStack() as held:
        for lock, output in places.items():
            try:
                held.enter_context(one_at_a_time(lock, wait=False))
            except BlockingIOError as err:
                raise OutputError(
                    f"{output}: another run is writing it; wait for that, or name another output"
                ) from err
            except OSError:
                continue
        yield


def _lock_of(output: Path) -> Path:
    """The file that stands for a result: a pattern of pictures stands for their folder."""
    place = output.parent if counter(output.name) is not None else output
    return place.with_name(f".{place.name}.lock")


def keep_unfinished(run: Run, writer: Keeps) -> None:
    """Leave what a writer has under its partial name, and say where."""
    try:
        kept = writer.keep_partial()
    except MienError as error:
        run.events.note(f"the finished part could not be completed: {error}")
        return
    if kept:
        run.events.note(f"the finished part is kept as {kept}")
