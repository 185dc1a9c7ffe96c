# ruff: noqa: TID253 - imported only where a net is built
"""What faceswap calls the layers of a net, and the shapes of their weights in its files.

Its names carry counters that run through the whole net, in the order in which it is made: part
after part, faces before masks.  Its weights are channels last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from . import fsblocks as blocks
from .fsnets import Part, PeopleNet

Names = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer under both names.

    part, theirs  faceswap's sub-model and layer;  ours  attribute path of the module with weights
    """

    part: str
    theirs: str
    ours: str


def layers_of(net: PeopleNet) -> list[Layer]:
    """Every layer of the net that has weights, in the order in which faceswap makes them."""
    counters = Counter[str]()
    return [
        Layer(part=part.theirs, theirs=theirs, ours=ours)
        for part in net.parts
        for ours, theirs in _Namer(counters, part).walk(net.get_submodule(part.ours), part.ours)
    ]


def shapes_of(net: PeopleNet) -> dict[str, list[tuple[int, ...]]]:
    """`sub-model/layer` to the shapes of its arrays in faceswap's files, in their order."""
    return {
        f"{layer.part}/{layer.theirs}": list(_shapes(net.get_submodule(layer.ours)))
        for layer in layers_of(net)
    }


class _Namer:
    """Names the layers of one part; `counters` run through all parts."""

    def __init__(self, counters: Counter[str], part: Part) -> None:
        self._counters, self._part = counters, part
        self._faces = iter(part.scales)

    def walk(self, module: nn.Module, path: str) -> Names:
        """(our path, their name) of all layers below."""
        if isinstance(module, blocks.Down):
            name = self._next(f"conv_{module.out_channels}")
            yield path, f"{name}_conv2d"
            if module.norm is not None:
                yield f"{path}.norm", f"{name}_instancenorm"
        elif isinstance(module, blocks.SeparableDown):
            name = self._next(f"separableconv2d_{module.pointwise.out_channels}")
            yield path, f"{name}_seperableconv2d"
        elif isinstance(module, blocks.Upscale):
            yield f"{path}.conv", self._next(f"upscale_{module.outputs}") + "_conv2d_conv2d"
        elif isinstance(module, blocks.MixedUpscale):
            kind = "fast" if module.summed else "hyb"
            yield from self.walk(module.shuffled, f"{path}.shuffled")
            yield f"{path}.smooth", self._next(f"upscale2x_{module.outputs}_{kind}") + "_conv2d"
        elif isinstance(module, blocks.Residual):
            name = self._next(f"residual_{module.conv1.out_channels}")
            yield f"{path}.conv1", f"{name}_conv2d_0"
            yield f"{path}.conv2", f"{name}_conv2d_1"
        elif isinstance(module, blocks.Picture):
            yield path, self._next(self._picture(module)) + "_conv2d"
        elif isinstance(module, blocks.Dense):
            yield path, self._plain("dense")
        elif isinstance(module, blocks.BatchNorm):
            yield path, self._plain("batch_normalization")
        else:
            for name, child in module.named_children():
                yield from self.walk(child, f"{path}.{name}")

    def _picture(self, module: blocks.Picture) -> str:
        parts = ["mask_out"] if module.out_channels == 1 else ["face_out", next(self._faces, "")]
        return "_".join(part for part in (*parts, self._part.out) if part)

    def _next(self, name: str) -> str:
        number = self._counters[name]
        self._counters[name] += 1
        return f"{name}_{number}"

    def _plain(self, name: str) -> str:
        """Counted as Keras itself does: the first has no number."""
        number = self._counters[name]
        self._counters[name] += 1
        return f"{name}_{number}" if number else name


def _shapes(module: nn.Module) -> Iterator[tuple[int, ...]]:
    if isinstance(module, blocks.SeparableDown):
        inputs = module.depthwise.in_channels
        yield (*module.depthwise.kernel_size, inputs, 1)
        yield from _shapes(module.pointwise)
    elif isinstance(module, blocks.BatchNorm):
        yield from (tuple(each.shape) for each in _norm(module))
    elif isinstance(module, blocks.InstanceNorm):
        yield from (tuple(each.shape) for each in (module.scale, module.shift))
    else:
        weight, bias = module.get_parameter("weight"), getattr(module, "bias", None)
        yield (*weight.shape[2:], weight.shape[1], weight.shape[0])
        if bias is not None:
            yield tuple(bias.shape)


def _norm(module: blocks.BatchNorm) -> tuple[Tensor, ...]:
    return module.scale, module.shift, module.mean, module.power
