"""How the frames of a clip follow each other.

The head of a Matroska file states one length for all of them, which programs that record at a
varying rate fill in as they please, or leave out.  A look at the beginning, the middle and the end
of the packets tells more, and decodes nothing.
"""

# ruff: noqa: TID253 - this module is itself imported only when a clip is opened

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_PACKETS = 240
_BYTES = 4 << 20
_FEWEST = 8  # packets, however large they are
_REORDERED = 16  # so many frames may be decoded before one that is shown earlier
_HOLES = Fraction(1, 8)  # so much of the frames may be missing of a clip that keeps its rate
_USUAL = tuple(
    Fraction(n) for n in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen: frames per second, and whether the distances between frames differ."""

    rate: Fraction
    variable: bool


def find_pace(container: InputContainer, stream: VideoStream, start: int) -> Pace:
    """The pace of a clip; moves the place at which the container is read.

    start  pts of the first frame
    """
    stated = stream.average_rate or stream.guessed_rate or Fraction(25)
    guessed, base = stream.guessed_rate or stated, stream.time_base
    if base is None or "matroska" not in container.format.name:
        return Pace(stated, abs(guessed / stated - 1) > Fraction(1, 200))
    looks = [_stretch(container, stream, start)]
    if looks[0]:
        # Without an index a far place is found by reading up to it, so only its entries are.
        far = [entry.timestamp for entry in stream.index_entries if entry.timestamp > looks[0][-1]]
        looks += [_stretch(container, stream, at) for at in {*far[len(far) // 2 :][:1], *far[-1:]}]
    looks = [stamps for stamps in looks if len(stamps) > 2 and stamps[-1] > stamps[0]]
    if not looks:
        return Pace(stated, False)
    steps = [Fraction(stamps[-1] - stamps[0], len(stamps) - 1) for stamps in looks]
    count = sum(len(stamps) - 1 for stamps in looks)
    step = Fraction(sum(stamps[-1] - stamps[0] for stamps in looks), count)
    blur = Fraction(2, min(len(stamps) - 1 for stamps in looks))  # by rounding to whole ticks
    apart = max(steps) - min(steps) > step / 200 + blur
    variable = apart or any(_is_uneven(stamps) for stamps in looks)
    seen = 1 / (step * base)
    near = _HOLES if variable else blur / step
    if abs(stated / seen - 1) <= near:
        return Pace(stated, variable)
    usual = min(_USUAL, key=lambda each: abs(each / seen - 1))
    is_usual = not variable and abs(usual / seen - 1) <= near
    return Pace(usual if is_usual else seen.limit_denominator(1000), variable)


def last_length(packets: Sequence[tuple[int, int]], container: str) -> int:
    """How long the last frame is shown, as its packet says; 0 where it says nothing, or the packets
    say what does not hold for most of those before it.

    packets  (pts, length) in order of showing;  container  the format, which in .mp4 is exact
    """
    steps = [(after[0] - at, length) for (at, length), after in pairwise(packets) if length]
    wrong = sum(abs(step - length) > 1 for step, length in steps)
    sure = "mp4" in container or 2 * wrong <= len(steps)
    return packets[-1][1] if packets and sure else 0


def _stretch(container: InputContainer, stream: VideoStream, place: int) -> list[int]:
    """Timestamps of frames that follow each other without a hole, around `place`."""
    stamps: list[int] = []
    size, ended = 0, False
    try:
        container.seek(place, stream=stream)
        for packet in container.demux(stream):
            if packet.pts is None:  # the empty packet at the end, or a clip that cannot be seen so
                ended = not packet.size
                break
            stamps.append(packet.pts)
            size += packet.size
            if len(stamps) >= _PACKETS or (size > _BYTES and len(stamps) >= _FEWEST):
                break
    except av.error.FFmpegError:
        return []
    in_order = all(before < after for before, after in pairwise(stamps))
    stamps.sort()
    return stamps if in_order or ended else stamps[:-_REORDERED]


def _is_uneven(stamps: list[int]) -> bool:
    """Whether frames lie beside even distances by more than rounding would put them."""
    step = Fraction(stamps[-1] - stamps[0], len(stamps) - 1)
    far = max(Fraction(1), step / 20)
    return any(abs(at - stamps[0] - n * step) > far for n, at in enumerate(stamps))
