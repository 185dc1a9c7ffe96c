"""What happens to a net's file before it goes into a wheel."""

from __future__ import annotations

from pathlib import Path

import onnx
from mien.atomic import whole_file


def strip(path: Path) -> None:
    """Leave the net in an ONNX file and take out what the exporter noted: names of source files
    on this machine, a fifth of the size."""
    model = onnx.load(path)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
    with whole_file(path) as beside:
        onnx.save(model, beside)
