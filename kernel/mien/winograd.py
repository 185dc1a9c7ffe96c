"""Makes large 3x3 convolutions of an ONNX net quicker on a CPU, up to twice as quick.

onnxruntime multiplies every pixel of a 3x3 window with every weight.  Winograd's minimal filtering
does 36 multiplications for the 144 of a tile of 4x4 pixels: windows of 6x6 are transformed, each of
the 36 numbers is multiplied by a matrix of its own, and the sums are transformed back.  It is
written with nodes that every runtime knows, so the net stays a plain ONNX file.  Results differ by
about 2e-5 of a map's spread.  (What learns has tiles of its own: `nets.convolution`.)

A GPU's library does this by itself, and small maps or few channels gain nothing: `worthwhile`.

Source: Winograd 1980, Lavin and Gray 2015 (arXiv:1509.09308), as the Toom-Cook algorithm with the
points 0, 1, -1, 1/2, -2 and infinity, which lose less than 0, 1, -1, 2, -2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
TAPS = 3
TILE = len(POINTS) + 2 - TAPS  # pixels of a tile's side: 4
WINDOW = TILE + TAPS - 1
NUMBERS = WINDOW * WINDOW

# Constants of so many numbers may be shapes, which decide those of maps.
_SMALL = 64

Constants: TypeAlias = Mapping[str, Any]  # onnx.TensorProto by name


def transforms() -> tuple[Array, Array, Array]:
    """A (TILE, WINDOW), G (WINDOW, TAPS) and B (WINDOW, WINDOW) of one dimension.

    A @ ((G @ weights) * (B @ window)) is the tile.
    """
    window = np.zeros((WINDOW, WINDOW))
    for row, point in enumerate(POINTS):
        rest = [other for other in POINTS if other != point]
        window[row, :-1] = np.poly(rest)[::-1]
    window[-1] = np.poly(POINTS)[::-1]
    scale = [np.prod([point - other for other in POINTS if other != point]) for point in POINTS]
    weights = _powers(TAPS) / np.array([*scale, 1.0])[:, None]
    return _powers(TILE).T, weights, window


def _powers(count: int) -> Array:
    rows = [[point**power for power in range(count)] for point in POINTS]
    return np.array([*rows, [0.0] * (count - 1) + [1.0]])


def worthwhile(inputs: int, outputs: int, height: int, width: int) -> bool:
    """Whether a convolution of these channels gains on a map of this size.

    The transforms cost as much as there are inputs and outputs, the multiplications are as many as
    their product: the more of both, the better.  Measured on two cores with AVX2: from 85, as for
    256 inputs and 128 outputs, it takes 0.6 to 0.8 of the time on maps of 32x32 and more, from 128
    on smaller ones too; with 64, as for 128 and 128, nothing is gained.
    """
    tiles = -(-height // TILE) * -(-width // TILE)
    depth = inputs * outputs / (inputs + outputs)
    return depth >= 85 and tiles >= (15 if depth >= 128 else 60)


def quicken(model: Any, shapes: Mapping[str, Sequence[int]]) -> int:
    """Rewrite the convolutions of an `onnx.ModelProto` that gain by it; how many they were.

    shapes  the usual shape of each input of the net, from which the sizes of its maps follow
    """
    graph = model.graph
    constants = {each.name: each for each in graph.initializer}
    sizes = _sizes(model, shapes)
    nodes: list[Any] = []
    done = 0
    for node in graph.node:
        if not _suits(node, constants, sizes):
            nodes.append(node)
            continue
        made, more = _filtering(f"winograd{done}", node, constants)
        nodes += made
        graph.initializer.extend(more)
        done += 1
    if done:
        _replace(graph, nodes)
    return done


def _replace(graph: Any, nodes: list[Any]) -> None:
    """Put the nodes in place of the graph's, and drop what they do not use."""
    used = {name for node in nodes for name in node.input}
    constants = [each for each in graph.initializer if each.name in used]
    for words in (graph.node, graph.initializer, graph.value_info):
        del words[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)


def _suits(node: Any, constants: Constants, sizes: Mapping[str, Sequence[int]]) -> bool:
    size = sizes.get(node.input[0], ()) if node.op_type == "Conv" else ()
    if not size or not all(name in constants for name in node.input[1:]):
        return False
    shape = constants[node.input[1]].dims
    told = {each.name: list(each.ints) or each.i for each in node.attribute}
    plain = (
        list(shape[2:]) == [TAPS, TAPS]
        and told.get("strides", [1, 1]) == [1, 1]
        and told.get("dilations", [1, 1]) == [1, 1]
        and told.get("pads") == [1, 1, 1, 1]
        and told.get("group", 1) == 1
    )
    return plain and worthwhile(shape[1], shape[0], size[2], size[3])


def _sizes(model: Any, shapes: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Of every map whose shape follows from those of the inputs: its shape."""
    from onnx import helper, shape_inference

    graph = model.graph
    fed = [
        helper.make_tensor_value_info(each.name, each.type.tensor_type.elem_type, shapes[each.name])
        for each in graph.input
    ]
    small = [each for each in graph.initializer if np.prod(each.dims) <= _SMALL]
    # Of large constants the shape is enough, and copying them would take seconds.
    large = [
        helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        for each in graph.initializer
        if np.prod(each.dims) > _SMALL
    ]
    outline = helper.make_model(
        helper.make_graph(graph.node, "sizes", fed + large, graph.output, small),
        opset_imports=model.opset_import,
        functions=model.functions,
    )
    told = shape_inference.infer_shapes(outline, data_prop=True).graph
    found = {}
    for each in (*told.input, *told.value_info):
        shape = tuple(axis.dim_value for axis in each.type.tensor_type.shape.dim)
        if all(shape):
            found[each.name] = shape
    return found


def _filtering(name: str, conv: Any, known: Constants) -> tuple[list[Any], list[Any]]:
    """The nodes and constants that stand for a convolution."""
    from onnx import helper

    source, target = conv.input[0], conv.output[0]
    weight = _values(known[conv.input[1]])
    bias = _values(known[conv.input[2]]) if len(conv.input) > 2 else None
    outputs, inputs = weight.shape[:2]
    back, kernel, window = transforms()
    matrices = kernel @ weight @ kernel.T  # (outputs, inputs, WINDOW, WINDOW)
    windows = np.kron(window, window).reshape(NUMBERS, 1, WINDOW, WINDOW)
    constants = {
        "windows": np.tile(windows, (inputs, 1, 1, 1)),
        "matrices": matrices.transpose(2, 3, 0, 1).reshape(NUMBERS, outputs, inputs),
        "tiles": np.kron(back, back),
        "apart": np.array([0, inputs, NUMBERS, -1]),
        "flat": np.array([0, NUMBERS, -1]),
        "inside": np.array([0, TILE * TILE * outputs]),
        "start": np.array([0, 0]),
        "axes": np.array([2, 3]),
    }
    if bias is not None:
        constants["bias"] = bias.reshape(1, -1, 1, 1)

    def at(word: str) -> str:
        return f"{name}.{word}"

    def node(kind: str, sources: list[str], result: str, **more: Any) -> Any:
        full = [source if each == "" else at(each) for each in sources]
        return helper.make_node(kind, full, [result], name=f"{result}.node", **more)

    last = target if bias is None else at("cut")
    # Four more rows and columns than the window needs: the last tile may hang over the edge.
    pads = [1, 1, TILE, TILE]
    steps = {"strides": [TILE, TILE], "kernel_shape": [WINDOW, WINDOW], "pads": pads}
    nodes = [
        node("Conv", ["", "windows"], at("seen"), group=inputs, **steps),
        node("Reshape", ["seen", "apart"], at("seen1")),
        node("Transpose", ["seen1"], at("seen2"), perm=[0, 2, 1, 3]),
        node("MatMul", ["matrices", "seen2"], at("sums")),
        node("Reshape", ["sums", "flat"], at("sums1")),
        node("MatMul", ["tiles", "sums1"], at("out")),
        node("Shape", ["seen"], at("count"), start=2, end=4),
        node("Concat", ["inside", "count"], at("shape"), axis=0),
        node("Reshape", ["out", "shape"], at("out1")),
        node("DepthToSpace", ["out1"], at("whole"), blocksize=TILE, mode="DCR"),
        node("Shape", [""], at("end"), start=2, end=4),
        node("Slice", ["whole", "start", "end", "axes"], last),
    ]
    if bias is not None:
        nodes.append(node("Add", ["cut", "bias"], target))
    return nodes, list(_tensors(constants, name))


def _tensors(constants: Mapping[str, NDArray[Any]], name: str) -> Iterator[Any]:
    from onnx import numpy_helper

    for word, values in constants.items():
        kind = np.float32 if values.dtype == np.float64 else np.int64
        yield numpy_helper.from_array(np.ascontiguousarray(values, kind), f"{name}.{word}")


def _values(tensor: Any) -> Array:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(tensor), np.float64)
