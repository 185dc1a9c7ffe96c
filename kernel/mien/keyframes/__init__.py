"""Controls that change over a clip: the table `[merge]`, and options of plugins.

    timeline = Timeline([Entry(place="key", at=0, option="erode", value=2.0), ...])
    plan = Plan(options, timeline, shots=(0, 96))
    plan.at(120, track=3)                   MergeOptions of one face in one frame
    plan.explain(120, track=3)              the same values, each with where it comes from
    plan.options("color.sot", sot, 120, 3)  a plugin's options there

A `Book` keeps the timeline of one clip: in the workspace, with all it was before, and in a file
beside it that may be edited by hand.
"""

from __future__ import annotations

from .book import Book
from .controls import KINDS, MERGE, Controls
from .file import read_text, write_text
from .masking import NamedMaskStep
from .plan import Found, Plan
from .timeline import ALL, EASES, Ease, Entry, Place, Timeline, entries_of
from .tuning import TunedStage

__all__ = [
    "ALL",
    "EASES",
    "KINDS",
    "MERGE",
    "Book",
    "Controls",
    "Ease",
    "Entry",
    "Found",
    "NamedMaskStep",
    "Place",
    "Plan",
    "Timeline",
    "TunedStage",
    "entries_of",
    "read_text",
    "write_text",
]
