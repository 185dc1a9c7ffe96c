"""Places where a job writes: never the clip that it reads, and never two jobs in one place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import ConfigError, MienError, OutputError
from ..lock import one_at_a_time

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
    from ..media.files import counter

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
