"""Makes short clips of photographs that installed packages carry, with sound.

The two pictures are public domain: NASA's portrait of Eileen Collins (scikit-image) and the US
Navy's of Grace Hopper (matplotlib).
"""

from __future__ import annotations

import math
import wave
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..arrays import Image, Matrix, as_dtype, as_float
from ..errors import InputError
from ..geometry import warp
from ..media.base import ClipInfo, ClipWriter, OutputOptions, OutputPlan
from ..types import Frame

SIDE = 400
RATE = 25
FRAMES = 75

OpenWriter = Callable[[str, OutputPlan], ClipWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A picture inside an installed package, and how it moves.

    center, width  the part of the picture that the clip shows
    phase          where its movement begins, so that two clips differ
    """

    name: str
    package: str
    place: str
    center: tuple[float, float]
    width: float
    phase: float

    def load(self) -> Image:
        """The picture, BGR uint8.  Raises InputError that says what to install."""
        from ..media.contact import load_picture

        spec = find_spec(self.package)
        roots = list(spec.submodule_search_locations or ()) if spec else []
        for root in roots:
            path = Path(root) / self.place
            if path.is_file():
                return load_picture(path)
        raise InputError(
            f"the demo needs the picture {self.place} of {self.package}; "
            "install it with: pip install 'mien[demo]'"
        )

    def matrix(self, number: int) -> Matrix:
        """Pixels of the picture to pixels of frame `number`: it leans, comes near and goes."""
        turn = 2 * math.pi * number / FRAMES + self.phase
        angle = math.radians(9) * math.sin(turn)
        scale = SIDE / self.width * (1 + 0.08 * math.sin(2 * turn + 1))
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        shift = 0.05 * SIDE * np.array([math.sin(turn + 2), math.sin(2 * turn)])
        rotation = np.array([[cos, -sin], [sin, cos]])
        move = SIDE / 2 + shift - rotation @ np.array(self.center)
        return np.concatenate([rotation, move[:, None]], axis=1)

    def frame(self, picture: Image, number: int) -> Frame:
        """Frame `number` of the clip, in slowly changing light."""
        seen = as_float(warp(picture, self.matrix(number), SIDE, cubic=True, border="replicate"))
        light = 1 + 0.07 * math.sin(2 * math.pi * number / FRAMES + 2 * self.phase)
        image = as_dtype(np.clip(seen * np.float32(light), 0, 1), np.uint8)
        return Frame(index=number, pts=number, time_base=Fraction(1, RATE), duration=1, image=image)


SOURCE = Photograph(
    name="grace_hopper",
    package="matplotlib",
    place="mpl-data/sample_data/grace_hopper.jpg",
    center=(262, 236),
    width=430,
    phase=0.0,
)
TARGET = Photograph(
    name="astronaut",
    package="skimage",
    place="data/astronaut.png",
    center=(228, 138),
    width=270,
    phase=1.7,
)


def make_clip(photograph: Photograph, path: Path, sound: Path, open_writer: OpenWriter) -> Path:
    """A clip of the photograph in motion, with sound from a WAV file."""
    picture = photograph.load()
    info = ClipInfo(
        uri=str(path), width=SIDE, height=SIDE, frames=FRAMES, rate=Fraction(RATE), bits=8
    )
    options = OutputOptions(quality=12)
    writer = open_writer(str(path), OutputPlan(target=info, options=options, audio_from=str(sound)))
    for number in range(FRAMES):
        writer.write(photograph.frame(picture, number))
    return writer.finish()


def make_sound(path: Path) -> Path:
    """Three seconds of a quiet broken chord, so that a lost or shifted sound would be heard."""
    rate = 44_100
    time = np.arange(rate * FRAMES // RATE) / rate
    notes = np.array([220.0, 277.18, 329.63, 440.0, 329.63, 277.18])
    number = np.minimum((time * 2).astype(int), len(notes) - 1)
    fade = np.exp(-3 * (time * 2 % 1))
    tone = 0.2 * fade * np.sin(2 * np.pi * notes[number] * time)
    samples = np.repeat(np.rint(tone * 32767).astype("<i2")[:, None], 2, axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path
