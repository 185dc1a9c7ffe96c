"""Facesets, looked at: what is measured of faces, orders, choices, doubles, coverage, moves.

Everything is computed from one `Table` of measurements, which `measure_faces` makes in one pass and
keeps beside the faceset: another order of the same faces decodes nothing.
"""

from __future__ import annotations

from .best import best_faces, covering_faces
from .cached import Embedder, measure_faces
from .coverage import Coverage, compare
from .distance import bhattacharyya, city_block, histogram_roots, unlikeness
from .draw import draw_coverage
from .likeness import near_duplicates
from .measure import measure, origin
from .nearest import chain, chain_of_histograms
from .orders import METHODS, Method, Order, by_person, grouped
from .overlay import draw_record
from .people import SAME, likeness, tell_apart
from .sharpness import cpbd
from .table import ALL, COLUMNS, Group, Table

__all__ = [
    "ALL",
    "COLUMNS",
    "METHODS",
    "SAME",
    "Coverage",
    "Embedder",
    "Group",
    "Method",
    "Order",
    "Table",
    "best_faces",
    "bhattacharyya",
    "by_person",
    "chain",
    "chain_of_histograms",
    "city_block",
    "compare",
    "covering_faces",
    "cpbd",
    "draw_coverage",
    "draw_record",
    "grouped",
    "histogram_roots",
    "likeness",
    "measure",
    "measure_faces",
    "near_duplicates",
    "origin",
    "tell_apart",
    "unlikeness",
]
