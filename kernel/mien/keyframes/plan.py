"""Which value counts for a face in a frame, and where it comes from.

From the strongest place to the weakest:

    the frame alone, for the track  >  the frame alone, for all
    >  keyframes of the track  >  the shot  >  keyframes of all  >  the table [merge]

The narrower place wins; a track lies in one shot, so it is narrower than the shot.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, TypeVar

from ..merging.options import MergeOptions, OptionsFor
from ..types import Face, Packet
from .controls import with_values
from .curves import Point, value_at
from .timeline import ALL, Entry, Place, Timeline, shot_of

T = TypeVar("T")

_IN_PLACE_OF = {"erode_pixels": "erode", "blur_pixels": "blur"}
_REMEMBERED = 1024  # every step asks anew, for the faces of a batch of frames
_TABLE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One value, and in words where it comes from; `rank` is higher for a stronger place."""

    name: str
    value: Any
    origin: str
    rank: int = _TABLE


class Plan:
    """The options of every face in every frame of a clip."""

    def __init__(
        self,
        base: MergeOptions,
        timeline: Timeline | None = None,
        *,
        shots: Sequence[int] = (),
        origin: Callable[[str], str] = lambda name: "default",
    ) -> None:
        """base    the table `[merge]`;  origin  where its values come from, by name
        shots   frames at which shots begin, in order; without any the clip is one shot

        `tables` are the plugins of which some option changes over the clip, such as `color.sot`.
        """
        self.base, self.timeline = base, timeline or Timeline()
        self._shots, self._origin = tuple(shots), origin
        self._lines: dict[tuple[str, Place, int], list[Entry]] = {}
        for entry in self.timeline:
            self._lines.setdefault((entry.option, entry.place, entry.track), []).append(entry)
        self._set = {entry.option for entry in self.timeline}
        self._merge = any("." not in name for name in self._set)
        self.tables = tuple(sorted({name.rpartition(".")[0] for name in self._set} - {""}))
        self._known = lru_cache(_REMEMBERED)(self._resolve)
        self._found = lru_cache(_REMEMBERED)(self.explain_plugin)

    def __call__(self, packet: Packet, face: Face) -> MergeOptions:
        """What the steps of `mien.merging` ask."""
        return self.at(packet.frame.index, face.track)

    @property
    def merge(self) -> MergeOptions | OptionsFor:
        """What `merge_steps` wants: the options themselves where nothing changes over the clip."""
        return self if self._merge else self.base

    def at(self, frame: int, track: int = ALL) -> MergeOptions:
        """The options of a face of `track` in `frame`."""
        return self._known(frame, track) if self._merge else self.base

    def options(self, table: str, base: T, frame: int, track: int = ALL) -> T:
        """The options of a plugin for a face of `track` in `frame`.

        table  the plugin, such as `color.sot`;  base  its options where no keyframe says otherwise
        """
        found = self._found(table, frame, track) if table in self.tables else ()
        return with_values(base, {each.name.rpartition(".")[2]: each.value for each in found})

    def ever(self, name: str) -> tuple[Any, ...]:
        """The table's value of a control and all that are set, each once.

        What lies between two keys lies between two of these.
        """
        values = [entry.value for entry in self.timeline if entry.option == name]
        return tuple(dict.fromkeys([getattr(self.base, name), *values]))

    def explain(self, frame: int, track: int = ALL) -> tuple[Found, ...]:
        """Every control's value at a frame, in the order of the table."""
        found = {item.name: self._find(item.name, frame, track) for item in fields(MergeOptions)}
        for pixels, percent in _IN_PLACE_OF.items():
            weak, strong = found[pixels], found[percent]
            if weak.value is not None and weak.rank < strong.rank:
                why = f"its {weak.value:g} gives way to {percent}, set in a narrower place"
                found[pixels] = Found(name=pixels, value=None, origin=why, rank=strong.rank)
        return tuple(found.values())

    def explain_plugin(self, table: str, frame: int, track: int = ALL) -> tuple[Found, ...]:
        """The options of a plugin that the keyframes set at a frame, by their full names."""
        names = sorted(name for name in self._set if name.rpartition(".")[0] == table)
        return tuple(found for name in names if (found := self._on_timeline(name, frame, track)))

    def _resolve(self, frame: int, track: int) -> MergeOptions:
        changed = {each.name: each.value for each in self.explain(frame, track) if each.rank}
        return replace(self.base, **changed)

    def _find(self, name: str, frame: int, track: int) -> Found:
        found = self._on_timeline(name, frame, track) if name in self._set else None
        return found or Found(name=name, value=getattr(self.base, name), origin=self._origin(name))

    def _on_timeline(self, name: str, frame: int, track: int) -> Found | None:
        for rank, (place, whose) in _places(track):
            line = self._lines.get((name, place, whose), ())
            found = self._in(line, place, frame) if line else None
            if found:
                return Found(name=name, value=found[0], origin=found[1], rank=rank)
        return None

    def _in(self, line: Sequence[Entry], place: Place, frame: int) -> tuple[Any, str] | None:
        """A value at a frame in one line of entries, and its origin."""
        whose = "" if line[0].track == ALL else f" of track {line[0].track}"
        if place == "key":
            return _on_curve(line, frame, whose)
        if place == "frame":
            alone = next((entry for entry in line if entry.at == frame), None)
            return (alone.value, f"frame {frame} alone{whose}") if alone else None
        shot = shot_of(frame, self._shots)
        here = [entry for entry in line if shot_of(entry.at, self._shots) == shot]
        return (here[-1].value, f"the shot that begins at {shot}") if here else None


def _places(track: int) -> list[tuple[int, tuple[Place, int]]]:
    """The places where a value may stand, each with its rank, the strongest first."""
    common: list[tuple[int, tuple[Place, int]]]
    common = [(4, ("frame", ALL)), (2, ("shot", ALL)), (1, ("key", ALL))]
    own: list[tuple[int, tuple[Place, int]]] = [(5, ("frame", track)), (3, ("key", track))]
    return sorted(common if track == ALL else common + own, reverse=True)


def _on_curve(line: Sequence[Entry], frame: int, whose: str) -> tuple[Any, str]:
    right = bisect_right(line, frame, key=lambda entry: entry.at)
    start = line[max(right - 1, 0)]
    if right == 0 or right == len(line) or start.at == frame or start.ease == "hold":
        held = "" if start.at == frame else ", which holds"
        return start.value, f"key{whose} at {start.at}{held}"
    end = line[right]
    value = value_at([Point(e.at, float(e.value), e.ease) for e in line], frame)
    words = (
        f"keys{whose} at {start.at} ({start.value:g}) and {end.at} ({end.value:g}), {start.ease}"
    )
    return (round(value) if isinstance(start.value, int) else value), words
