"""Controls of the table `[merge]` that change over a clip.

    timeline = Timeline([Entry(place="key", at=0, option="erode", value=2.0), ...])
    plan = Plan(options, timeline, shots=(0, 96))
    plan.at(120, track=3)                   MergeOptions of one face in one frame
    plan.explain(120, track=3)              the same values, each with where it comes from

A `Book` keeps the timeline of one clip: in the workspace, with all it was before, and in a file
beside it that may be edited by hand.
"""

from __future__ import annotations

from .book import Book
from .file import read_text, write_text
from .masking import NamedMaskStep
from .plan import Found, Plan
from .timeline import ALL, EASES, Ease, Entry, Place, Timeline, entries_of

__all__ = [
    "ALL",
    "EASES",
    "Book",
    "Ease",
    "Entry",
    "Found",
    "NamedMaskStep",
    "Place",
    "Plan",
    "Timeline",
    "entries_of",
    "read_text",
    "write_text",
]
