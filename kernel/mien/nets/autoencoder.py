# ruff: noqa: TID253 - imported only where a net is built
"""Encoder, inter and decoder of DeepFaceLab's face models, and the model with two decoders.

Faces and masks are NCHW, BGR, 0..1.  Attribute names follow the weight files: a model's attribute
is the file, and below it the key with dots for slashes.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .blocks import Down, Downs, Res, Up, conv, depth_to_space, pixel_norm
from .shape import FaceShape


class Encoder(nn.Module):
    """What there is to say about a face, whoever it is: pose, expression, light."""

    def __init__(self, shape: FaceShape) -> None:
        super().__init__()
        flags, width = shape.flags, shape.e_dims
        self._deep, self._normalize = flags.deep, flags.normalize
        if not self._deep:
            self.down1: nn.Module = Downs(3, width, cosine=flags.cosine)
            return
        self.down1 = Down(3, width, cosine=flags.cosine)
        self.res1 = Res(width, cosine=flags.cosine)
        self.down2 = Down(width, 2 * width, cosine=flags.cosine)
        self.down3 = Down(2 * width, 4 * width, cosine=flags.cosine)
        self.down4 = Down(4 * width, 8 * width, cosine=flags.cosine)
        self.down5 = Down(8 * width, 8 * width, cosine=flags.cosine)
        self.res5 = Res(8 * width, cosine=flags.cosine)

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, R, R) -> (N, shape.encoded), in the order (channel, row, column)."""
        x = self.down1(face)
        if self._deep:
            x = self.down4(self.down3(self.down2(self.res1(x))))
            x = self.res5(self.down5(x))
        row: Tensor = x.flatten(1)
        return pixel_norm(row) if self._normalize else row


class Inter(nn.Module):
    """The bottleneck, spread to the map that a decoder gets; no activation in between."""

    def __init__(self, shape: FaceShape, outputs: int) -> None:
        super().__init__()
        self._map = (outputs, shape.dense_side, shape.dense_side)
        self.dense1 = nn.Linear(shape.encoded, shape.ae_dims)
        self.dense2 = nn.Linear(shape.ae_dims, outputs * shape.dense_side**2)
        self.upscale1 = (
            nn.Identity() if shape.flags.deep else Up(outputs, outputs, cosine=shape.flags.cosine)
        )

    def forward(self, encoded: Tensor) -> Tensor:
        """(N, shape.encoded) -> (N, outputs, G, G), G = shape.code_side."""
        code = self.dense2(self.dense1(encoded)).reshape(-1, *self._map)
        out: Tensor = self.upscale1(code)
        return out


class Decoder(nn.Module):
    """A face and its mask from a code.  They share no layer, so each can be had alone."""

    def __init__(self, shape: FaceShape, inputs: int) -> None:
        super().__init__()
        flags, width, narrow = shape.flags, shape.d_dims, shape.d_mask_dims
        self._subpixel = flags.subpixel
        steps = (8, 8, 4, 2) if flags.deep else (8, 4, 2)
        self._stages = len(steps)
        self._mask_stages = self._stages + int(flags.subpixel)

        def chain(name: str, channels: list[int]) -> None:
            for number, (before, after) in enumerate(pairwise(channels)):
                self.add_module(f"{name}{number}", Up(before, after, cosine=flags.cosine))

        chain("upscale", [inputs, *(step * width for step in steps)])
        for number, step in enumerate(steps):
            self.add_module(f"res{number}", Res(step * width, cosine=flags.cosine))
        mask_steps = (*steps, 1)[: self._mask_stages]
        chain("upscalem", [inputs, *(step * narrow for step in mask_steps)])
        self.out_conv = conv(2 * width, 3, 1)
        if flags.subpixel:
            self.out_conv1 = conv(2 * width, 3, 3)
            self.out_conv2 = conv(2 * width, 3, 3)
            self.out_conv3 = conv(2 * width, 3, 3)
        self.out_convm = conv(mask_steps[-1] * narrow, 1, 1)

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The face (N, 3, R, R) and its mask (N, 1, R, R), float32."""
        return self.face(code), self.mask(code)

    def face(self, code: Tensor) -> Tensor:
        """The face alone."""
        x = code
        for number in range(self._stages):
            x = self._layer(f"upscale{number}", x)
            x = self._layer(f"res{number}", x)
        return torch.sigmoid(self._head(x).float())

    def mask(self, code: Tensor) -> Tensor:
        """The mask alone."""
        x = code
        for number in range(self._mask_stages):
            x = self._layer(f"upscalem{number}", x)
        return torch.sigmoid(self.out_convm(x).float())

    def _layer(self, name: str, x: Tensor) -> Tensor:
        out: Tensor = getattr(self, name)(x)
        return out

    def _head(self, x: Tensor) -> Tensor:
        """The face before its sigmoid.

        Four convolutions, one for each of 2x2 pixels, done as one: the map is large, they are
        small, and reading it once is what counts.  The first has kernel 1, so it gets a rim of 0.
        """
        if not self._subpixel:
            out: Tensor = self.out_conv(x)
            return out
        first, *others = (self.out_conv, self.out_conv1, self.out_conv2, self.out_conv3)
        weight = torch.cat([nnf.pad(first.weight, (1, 1, 1, 1)), *(one.weight for one in others)])
        biases = [one.bias for one in (first, *others) if one.bias is not None]
        return depth_to_space(nnf.conv2d(x, weight, torch.cat(biases), padding=1))


class TwoDecoders(nn.Module):
    """One encoder and bottleneck for both people, a decoder for each ("df").

    What of a code a decoder shows is its own person, so the code of a face is the same for both.
    """

    def __init__(self, shape: FaceShape) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.inter = Inter(shape, shape.ae_dims)
        self.decoder_src = Decoder(shape, shape.ae_dims)
        self.decoder_dst = Decoder(shape, shape.ae_dims)

    @property
    def source_decoder(self) -> Decoder:
        """Shows the source."""
        return self.decoder_src

    @property
    def target_decoder(self) -> Decoder:
        """Shows the target."""
        return self.decoder_dst

    def source_code(self, encoded: Tensor) -> Tensor:
        """What `source_decoder` needs; of a target's face it makes the swap."""
        code: Tensor = self.inter(encoded)
        return code

    def target_code(self, encoded: Tensor) -> Tensor:
        """What `target_decoder` needs."""
        return self.source_code(encoded)

    def both_codes(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """`source_code` and `target_code`, sharing their work."""
        code = self.source_code(encoded)
        return code, code

    def forward(self, face: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A target's face (N, 3, R, R) -> the swap, its mask, and the target's own mask."""
        as_source, as_target = self.both_codes(self.encoder(face))
        swap, mask = self.source_decoder(as_source)
        return swap, mask, self.target_decoder.mask(as_target)
