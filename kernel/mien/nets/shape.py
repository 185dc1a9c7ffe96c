"""How large the nets of DeepFaceLab's face models are: flags, channels, and the sides that follow.

Light: options can be checked, and a saved model told, without torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Variants of the nets, by the letters of an architecture's name.

    normalize  u: what the encoder saw is scaled to length 1 per number
    subpixel   d: the nets work at half the size, the last layer makes four pixels at once
    deep       t: an encoder of five steps with residual blocks, a decoder of four stages
    cosine     c: x·cos(x) instead of a leaky rectifier
    """

    normalize: bool = False
    subpixel: bool = False
    deep: bool = False
    cosine: bool = False

    @property
    def letters(self) -> str:
        """The letters, in the order in which users write them."""
        given = (self.normalize, self.subpixel, self.deep, self.cosine)
        return "".join(letter for letter, on in zip("udtc", given, strict=True) if on)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShape:
    """All that the shapes of encoder, inter and decoder depend on.

    resolution  side of the faces in pixels;  ae_dims  width of the bottleneck
    e_dims, d_dims, d_mask_dims  channels of the encoder, of the decoder's face and its mask
    Raises ConfigError, with every problem, where no such net can be built.
    """

    resolution: int
    ae_dims: int
    e_dims: int
    d_dims: int
    d_mask_dims: int
    flags: Flags

    def __post_init__(self) -> None:
        problems = tuple(self._problems())
        if problems:
            raise ConfigError(problems)

    def _problems(self) -> Iterator[str]:
        for name in ("ae_dims", "e_dims", "d_dims", "d_mask_dims"):
            if getattr(self, name) < 1:
                yield f"{name} {getattr(self, name)}: must be at least 1"
        step = self.multiple
        if self.resolution < step or self.resolution % step:
            why = "" if step == 16 else f" (the net has the flags {self.flags.letters})"
            below = max(step, self.resolution // step * step)
            near = f"{below} or {below + step}" if self.resolution > step else str(step)
            yield f"resolution {self.resolution}: must be a multiple of {step}{why}, such as {near}"

    @property
    def multiple(self) -> int:
        """What the resolution must be a multiple of.

        DeepFaceLab asks for 32 only with d.  With t alone it takes 80 or 112, too, and fails when
        the first face comes: the encoder rounds up where the bottleneck was made by rounding down.
        """
        return 32 if self.flags.subpixel or self.flags.deep else 16

    @property
    def encoded(self) -> int:
        """How many numbers the encoder makes of a face."""
        side = self.resolution // (32 if self.flags.deep else 16)
        return 8 * self.e_dims * side * side

    @property
    def dense_side(self) -> int:
        """Side of the map that the bottleneck is spread to."""
        return self.resolution // (32 if self.flags.subpixel else 16)

    @property
    def code_side(self) -> int:
        """Side of the map that a decoder gets."""
        return self.dense_side if self.flags.deep else 2 * self.dense_side
