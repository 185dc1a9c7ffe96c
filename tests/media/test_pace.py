"""What Matroska files keep silent about: a rate that varies, and how long the last frame is shown.

Every file states 25 frames a second in its head, as the fixture asks of the muxer, whatever its
frames do.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from mien.media.video import VideoSource

MS = Fraction(1, 1000)
CALM = {"bf": "0", "g": "50"}


def silent(path: Path) -> Path:
    """The file without the length of a usual frame, of the whole, and of its track."""
    data = path.read_bytes()
    for told, void in (("23e38384", "ec868080"), ("448988", "ec8980")):
        data = data.replace(bytes.fromhex(told), bytes.fromhex(void), 1)
    path.write_bytes(data.replace(b"DURATION", b"DURATIOX"))
    return path


@pytest.mark.parametrize(
    ("stamps", "rate"),
    [
        ([40 * n for n in range(30)], 25),
        ([round(n * 1000 / 30) for n in range(60)], 30),
        ([round(n * 1001 / 24) for n in range(60)], Fraction(24000, 1001)),
        ([round(n * 1000 / 8) for n in range(20)], 8),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_an_even_rate_is_found_whatever_the_head_says(
    make_clip: Callable[..., Path], stamps: list[int], rate: Fraction, told: bool
) -> None:
    path = make_clip("even.mkv", pts=stamps, time_base=MS)
    info = VideoSource(path if told else silent(path)).info
    assert (info.rate, info.variable) == (rate, False)


@pytest.mark.parametrize(
    ("stamps", "rate"),
    [
        ([40 * n + 20 * (n % 2) for n in range(30)], 25),
        ([40 * n + 1000 * (n > 20) for n in range(50)], 16.6),
        ([40 * n for n in range(300)] + [12000 + 20 * n for n in range(200)], 31.2),
        ([40 * n + 3 * (n % 3) for n in range(30)], 25),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_a_rate_that_varies_is_seen(
    make_clip: Callable[..., Path], stamps: list[int], rate: float, told: bool
) -> None:
    path = make_clip("uneven.mkv", pts=stamps, time_base=MS, options=CALM)
    info = VideoSource(path if told else silent(path)).info
    assert info.variable
    assert float(info.rate) == pytest.approx(rate, rel=0.05)


def test_frames_decoded_in_another_order_are_even_all_the_same(
    make_clip: Callable[..., Path],
) -> None:
    options = {"bf": "3", "b_strategy": "0", "preset": "medium"}
    info = VideoSource(make_clip("b.mkv", 300, options=options)).info
    assert (info.rate, info.variable) == (25, False)


def with_last(path: Path, length: int) -> Path:
    """The clip anew, packet by packet, its last frame `length` milliseconds long."""
    made = path.with_name(f"last-{path.name}")
    with av.open(str(path)) as source, av.open(str(made), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        for packet in packets:
            packet.duration = length if packet is packets[-1] else 40
            packet.stream = stream
            out.mux(packet)
    return made


@pytest.mark.parametrize("length", [10, 40, 500])
@pytest.mark.parametrize("told", [True, False])
def test_the_last_frame_is_as_long_as_its_packet_says(
    make_clip: Callable[..., Path], length: int, told: bool
) -> None:
    path = with_last(make_clip("long.mkv", 20, time_base=MS, options=CALM,
                               pts=[40 * n for n in range(20)]), length)  # fmt: skip
    source = VideoSource(path if told else silent(path))
    assert [frame.duration for frame in source.frames(18)] == [40, length]
    assert source.moments()[-1] == (Fraction(19 * 40, 1000), Fraction(length, 1000))


def test_a_last_frame_of_which_nothing_is_known_is_as_long_as_others_are(
    make_clip: Callable[..., Path],
) -> None:
    stamps = [40 * n + 1000 * (n > 45) for n in range(50)]
    path = silent(make_clip("gap.mkv", pts=stamps, time_base=MS, options=CALM))
    (last,) = VideoSource(path).frames(49)
    assert 40 <= last.duration <= 61


def test_a_clip_that_breaks_off_has_no_endless_last_frame(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    whole = make_clip("whole.mkv", 120, size=(320, 240), options=CALM)
    short = tmp_path / "short.mkv"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    *_, last = VideoSource(short).frames()
    assert last.duration == 40
