"""What is set where on a clip, as one frozen value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ..errors import ConfigError
from .controls import MERGE, Controls, glides

Ease: TypeAlias = Literal["hold", "linear", "smooth"]
EASES: tuple[Ease, ...] = get_args(Ease)

Place: TypeAlias = Literal["key", "frame", "shot"]
PLACES: tuple[Place, ...] = get_args(Place)

ALL = -1
"""In place of a track: the faces of all tracks."""

Identity: TypeAlias = tuple[Place, int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value of one control in one place.

    place  a key on the time line, one frame alone, or the shot that holds frame `at`
    track  whose faces; ALL for everybody's
    option a control of `[merge]`, or an option of a plugin such as `color.sot.steps`
    ease   the way to the next key of the same control and track; words hold
    """

    place: Place
    at: int
    option: str
    value: bool | int | float | str
    track: int = ALL
    ease: Ease = "linear"

    @property
    def identity(self) -> Identity:
        """What two entries cannot share."""
        return self.place, self.at, self.track, self.option


@dataclass(frozen=True, slots=True, init=False)
class Timeline:
    """All entries of a clip, in order of place, frame, track and name."""

    entries: tuple[Entry, ...]

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Entries in any order; of two in one place the later one stays."""
        known = {entry.identity: entry for entry in entries}
        order = sorted(known, key=lambda key: (PLACES.index(key[0]), *key[1:]))
        object.__setattr__(self, "entries", tuple(known[key] for key in order))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, entries: Iterable[Entry]) -> Timeline:
        """With these entries, in place of those that stood where they stand."""
        return Timeline([*self.entries, *entries])

    def without(self, place: Place, at: int, track: int, names: Iterable[str] = ()) -> Timeline:
        """Without the named controls of one place; without all of them where none is named.

        Raises ConfigError where there is nothing to take away.
        """
        wanted = set(names)
        stay = [
            entry
            for entry in self
            if entry.identity[:3] != (place, at, track) or (wanted and entry.option not in wanted)
        ]
        if len(stay) == len(self):
            whose = "" if track == ALL else f" of track {track}"
            what = " or ".join(sorted(wanted)) or "any control"
            raise ConfigError(f"{place} {at}{whose}: does not set {what}")
        return Timeline(stay)


def shot_of(frame: int, shots: Sequence[int]) -> int:
    """The frame at which the shot of a frame begins; without shots the clip is one."""
    return shots[max(bisect_right(shots, frame) - 1, 0)] if shots else 0


def entries_of(
    place: Place,
    at: int,
    values: Mapping[str, Any],
    *,
    track: int = ALL,
    ease: Ease = "linear",
    where: Callable[[str], str] = lambda name: name,
    controls: Controls = MERGE,
    foreign: bool = False,
) -> list[Entry]:
    """Entries of plain values, checked as the table `[merge]` is.

    where    gives the words that stand before a problem, from the name of the control
    foreign  options of plugins that are not installed are taken as they are
    Raises ConfigError with all problems.
    """
    made, problems = [], []
    for written, given in values.items():
        name = controls.full_name(written)
        try:
            if foreign and controls.is_foreign(name):
                value, moves = _scalar(given), isinstance(given, (int, float))
                moves = moves and not isinstance(given, bool)
            else:
                value, moves = controls.checked(name, given), glides(controls.info(name))
        except (ValueError, ConfigError) as error:
            problems.append(f"{where(written)}: {error}")
            continue
        way: Ease = ease if place == "key" and moves else "hold"
        made.append(Entry(place=place, at=at, option=name, value=value, track=track, ease=way))
    if problems:
        raise ConfigError(problems)
    return made


def _scalar(value: Any) -> Any:
    if not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"must be a number, a word or true/false, is {value!r}")
    return value
