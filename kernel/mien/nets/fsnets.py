# ruff: noqa: TID253 - imported only where a net is built
"""What faceswap's nets of two people have in common: an encoder, decoders, and the swap.

`source` is the person whose face is put in (faceswap's B), `target` the one who receives it (A).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from .fsblocks import RES_SLOPE, Dense, Down, Init, Picture, Residual, Upscale

Shown = tuple[tuple[Tensor, ...], Tensor | None]
"""Faces (N, 3, S, S), small ones first, and the mask (N, 1, S, S) if masks are learned."""


class Encoder(nn.Module):
    """Convolutions, a bottleneck of two dense layers, and perhaps an upscale."""

    def __init__(
        self,
        size: int,
        convs: Sequence[int],
        dense: int,
        code: tuple[int, int],
        upscale: int | None,
        *,
        normed: int = 0,
        init: Init = "he",
    ) -> None:
        """convs  channels of the convolutions, of which the first `normed` have norms
        code     channels and side of what is made of the bottleneck
        upscale  channels of the last layer, None for none
        """
        super().__init__()
        self.convs = downs(convs, normed=normed, init=init)
        side = size >> len(convs)
        self.squeeze = Dense(convs[-1] * side * side, dense, init=_dense(init))
        self.spread = Dense(dense, math.prod((code[0], code[1], code[1])), init=_dense(init))
        self.upscale = None if upscale is None else Upscale(code[0], upscale, init=init)
        self._code = (code[0], code[1], code[1])

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, S, S), 0..1 -> (N, C, H, W)."""
        x = face
        for conv in self.convs:
            x = conv(x)
        x = self.spread(self.squeeze(x.flatten(1))).view(-1, *self._code)
        grown: Tensor = x if self.upscale is None else self.upscale(x)
        return grown


class Inter(nn.Module):
    """A bottleneck by itself: what an encoder flattened, to a map."""

    def __init__(self, inputs: int, dense: int, code: tuple[int, int], upscale: int | None) -> None:
        super().__init__()
        self.squeeze = Dense(inputs, dense)
        self.spread = Dense(dense, code[0] * code[1] ** 2)
        self.upscale = None if upscale is None else Upscale(code[0], upscale)
        self._code = (code[0], code[1], code[1])

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) -> (N, C, H, W)."""
        made = self.spread(self.squeeze(x)).view(-1, *self._code)
        grown: Tensor = made if self.upscale is None else self.upscale(made)
        return grown


class FlatEncoder(nn.Module):
    """Convolutions, flattened."""

    def __init__(self, convs: Sequence[int]) -> None:
        super().__init__()
        self.convs = downs(convs)

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, S, S), 0..1 -> (N, E)."""
        x = face
        for conv in self.convs:
            x = conv(x)
        return x.flatten(1)


class Branch(nn.Module):
    """Several times twice the size, then a picture of `outputs` channels, 0..1."""

    def __init__(self, inputs: int, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.upscales = nn.ModuleList(
            Upscale(before, after) for before, after in pairwise((inputs, *channels))
        )
        self.out = Picture(channels[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, S, S)."""
        for upscale in self.upscales:
            x = upscale(x)
        made: Tensor = self.out(x)
        return made


class Decoder(nn.Module):
    """One person: a face, and where it is if masks are learned.

    trunk  what both branches begin with, if anything;  face  gives a picture, or several sizes
    """

    def __init__(
        self, face: nn.Module, mask: nn.Module | None, trunk: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.trunk, self.face, self.mask = trunk, face, mask

    def forward(self, code: Tensor) -> Shown:
        """The faces, and the mask or None."""
        x = code if self.trunk is None else self.trunk(code)
        made = self.face(x)
        faces = made if isinstance(made, tuple) else (made,)
        return faces, None if self.mask is None else self.mask(x)

    def mask_of(self, code: Tensor) -> Tensor | None:
        """The mask alone."""
        if self.mask is None:
            return None
        found: Tensor = self.mask(code if self.trunk is None else self.trunk(code))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a net under faceswap's name and ours.

    out    what its pictures are called after, such as `a` in `face_out_a_0`
    scales  names of the sizes of its faces, where they stand in the pictures' names
    """

    theirs: str
    ours: str
    out: str = ""
    scales: tuple[str, ...] = ()


class PeopleNet(nn.Module):
    """A net of two people: one encoder, a code for each person, a decoder for each code.

    parts  in the order in which faceswap makes them
    own    beginnings of the names of weights that belong to one person alone
    """

    parts: tuple[Part, ...] = ()
    own: tuple[str, ...] = ()
    encoder: nn.Module

    @property
    def source_decoder(self) -> Decoder:
        """Shows the source, given its code."""
        raise NotImplementedError

    @property
    def target_decoder(self) -> Decoder:
        """Shows the target, given its code; perhaps the same net."""
        raise NotImplementedError

    def source_code(self, encoded: Tensor) -> Tensor:
        """The code that shows the source; of a target's face it makes the swap."""
        return encoded

    def target_code(self, encoded: Tensor) -> Tensor:
        """The code that shows the target."""
        return encoded


class TwoDecoders(PeopleNet):
    """One encoder for both people, and a decoder for each."""

    parts: tuple[Part, ...] = (
        Part(theirs="encoder", ours="encoder"),
        Part(theirs="decoder_a", ours="target", out="a"),
        Part(theirs="decoder_b", ours="source", out="b"),
    )
    own = ("source.", "target.")

    def __init__(
        self,
        encoder: nn.Module,
        source: Decoder,
        target: Decoder,
        parts: tuple[Part, ...] | None = None,
    ) -> None:
        """parts  where faceswap's names are others than in most of its models"""
        super().__init__()
        self.parts = parts or self.parts
        self.encoder, self.source, self.target = encoder, source, target

    @property
    def source_decoder(self) -> Decoder:
        """Shows the source."""
        return self.source

    @property
    def target_decoder(self) -> Decoder:
        """Shows the target."""
        return self.target


class SwapNet(nn.Module):
    """What a swap runs: target face -> source face and, if learned, the masks of both.

    size  of the faces that come in;  seen  of those that the encoder looks at, at most that
    """

    def __init__(self, net: PeopleNet, size: int, seen: int) -> None:
        super().__init__()
        self.net = net
        self.shrink = area_matrix(size, seen) if seen != size else None

    def forward(self, face: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, S, S) -> the new face, then the masks of the new face and of the old one."""
        if self.shrink is not None:
            face = self.shrink @ face @ self.shrink.T
        encoded = self.net.encoder(face)
        faces, mask = self.net.source_decoder(self.net.source_code(encoded))
        other = self.net.target_decoder.mask_of(self.net.target_code(encoded))
        return faces[-1:] if mask is None or other is None else (faces[-1], mask, other)


def downs(channels: Sequence[int], *, normed: int = 0, init: Init = "he") -> nn.ModuleList:
    """Convolutions that halve the size, from a picture on; the first `normed` have norms."""
    return nn.ModuleList(
        Down(before, after, norm=number < normed, init=init)
        for number, (before, after) in enumerate(pairwise((3, *channels)))
    )


def stage(
    inputs: int,
    outputs: int,
    *,
    biases: Sequence[bool] = (),
    kernel: int = 3,
    init: Init = "he",
    residual_init: Init = "he",
) -> list[nn.Module]:
    """Twice the size, then as many residual blocks as there are `biases`, which say if they have.

    Residual blocks get what the shuffle made through a rectifier of their own.
    """
    upscale = Upscale(inputs, outputs, kernel=kernel, active=not biases, init=init)
    if not biases:
        return [upscale]
    blocks = [Residual(outputs, bias=bias, init=residual_init) for bias in biases]
    return [upscale, nn.LeakyReLU(RES_SLOPE), *blocks]


def mirror_edges(net: nn.Module) -> None:
    """Let convolutions see a map mirrored beyond its edge, where faceswap's can be told to."""
    for part in net.modules():
        if isinstance(part, Down):
            part.mirrors = True
        elif isinstance(part, Upscale):
            part.conv.mirrors = True
        elif isinstance(part, Residual):
            part.conv1.mirrors = part.conv2.mirrors = True


def area_matrix(size: int, wanted: int) -> Tensor:
    """(wanted, size): row i holds the share of every pixel in pixel i of the smaller picture.

    The same as torch's "area" interpolation: pixels that are cut count whole in both.
    """
    rows = torch.zeros(wanted, size)
    for row in range(wanted):
        first, last = row * size // wanted, -(-(row + 1) * size // wanted)
        rows[row, first:last] = 1 / (last - first)
    return rows


def _dense(init: Init) -> Init:
    """Dense layers are Glorot-uniform but where a net draws all its weights alike."""
    return "normal" if init == "normal" else "glorot"
