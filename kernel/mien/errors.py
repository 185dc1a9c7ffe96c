"""What a user can do wrong, and what a plugin can: each error is one sentence and one exit code.

Raise the nearest class with a sentence that says where, what was seen, what is allowed and what
to do.  Anything that is not a ``MienError`` is a bug of the program and keeps its traceback.
The table in ``docs/errors.md`` is made from this module.
"""

from __future__ import annotations

from collections.abc import Sequence


class MienError(Exception):
    """A problem the user can mend; printed as one message, without a traceback."""

    exit_code = 1
    meaning = "the program itself failed (a bug): report it with --debug"


class ConfigError(MienError):
    """The command line or a TOML file asks for something that does not exist or is not allowed."""

    exit_code = 2
    meaning = "a wrong command line, option or configuration file"

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n       ".join(self.problems))


class PluginError(MienError):
    """A plugin is missing, broken or ambiguous."""

    exit_code = 3
    meaning = "a plugin is missing, broken or named twice"


class StageError(MienError):
    """A stage failed on some frames; `first` and `last` are frame indices, -1 where unknown."""

    exit_code = 4
    meaning = "a stage (detector, aligner, masker, model, merger) failed on a frame"

    def __init__(self, message: str, *, stage: str = "", first: int = -1, last: int = -1) -> None:
        super().__init__(message)
        self.stage, self.first, self.last = stage, first, last


class InputError(MienError):
    """A clip, picture, faceset, model or workspace cannot be read."""

    exit_code = 5
    meaning = "an input (clip, picture, faceset, model, workspace) is missing or unreadable"


class OutputError(MienError):
    """A result cannot be written: no permission, no space, no such codec."""

    exit_code = 6
    meaning = "the output cannot be written (permission, full disk, codec)"


class WeightsError(MienError):
    """A weight file is missing or is not the file it claims to be."""

    exit_code = 7
    meaning = "a weight file is missing or damaged"


class NothingFoundError(MienError):
    """The work was done, but there was nothing to do it on, such as a clip without any face."""

    exit_code = 8
    meaning = "the input was read, but holds no face to work on"


class StoppedError(MienError):
    """The user stopped the run; what was finished is kept and named as partial."""

    exit_code = 130
    meaning = "stopped by the user (Ctrl-C); the finished part is kept"


ALL_ERRORS: tuple[type[MienError], ...] = (
    MienError,
    ConfigError,
    PluginError,
    StageError,
    InputError,
    OutputError,
    WeightsError,
    NothingFoundError,
    StoppedError,
)
