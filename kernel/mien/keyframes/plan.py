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
from typing import Any

from ..merging.options import MergeOptions, OptionsFor
from ..types import Face, Packet
from .curves import Point, value_at
from .timeline import ALL, Entry, Place, Timeline, controls, glides, shot_of

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
        """
        self.base, self.timeline = base, timeline or Timeline()
        self._shots, self._origin = tuple(shots), origin
        self._lines: dict[tuple[str, Place, int], list[Entry]] = {}
        for entry in self.timeline:
            self._lines.setdefault((entry.option, entry.place, entry.track), []).append(entry)
        self._set = {entry.option for entry in self.timeline}
        self._known = lru_cache(_REMEMBERED)(self._resolve)

    def __call__(self, packet: Packet, face: Face) -> MergeOptions:
        """What the steps of `mien.merging` ask."""
        return self.at(packet.frame.index, face.track)

    @property
    def merge(self) -> MergeOptions | OptionsFor:
        """What `merge_steps` wants: the options themselves where nothing changes over the clip."""
        return self if self._set else self.base

    def at(self, frame: int, track: int = ALL) -> MergeOptions:
        """The options of a face of `track` in `frame`."""
        return self._known(frame, track) if self._set else self.base

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

    def _resolve(self, frame: int, track: int) -> MergeOptions:
        changed = {each.name: each.value for each in self.explain(frame, track) if each.rank}
        return replace(self.base, **changed)

    def _find(self, name: str, frame: int, track: int) -> Found:
        if name in self._set:
            for rank, (place, whose) in _places(track):
                line = self._lines.get((name, place, whose), ())
                found = self._in(line, place, frame) if line else None
                if found:
                    return Found(name=name, value=found[0], origin=found[1], rank=rank)
        return Found(name=name, value=getattr(self.base, name), origin=self._origin(name))

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
    name = line[0].option
    right = bisect_right(line, frame, key=lambda entry: entry.at)
    start = line[max(right - 1, 0)]
    if right == 0 or right == len(line) or start.at == frame or start.ease == "hold":
        held = "" if start.at == frame else ", which holds"
        return start.value, f"key{whose} at {start.at}{held}"
    end = line[right]
    assert glides(name), name
    value = value_at([Point(e.at, float(e.value), e.ease) for e in line], frame)
    words = (
        f"keys{whose} at {start.at} ({start.value:g}) and {end.at} ({end.value:g}), {start.ease}"
    )
    return (round(value) if controls()[name].base is int else value), words
