"""`mien faces coverage`: what the source lacks, which of the target's frames will show it."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Image
from ..atomic import write_whole
from ..curation import ALL, Coverage, Table, compare, draw_coverage
from ..curation.coverage import COLUMNS
from ..errors import InputError, OutputError
from ..faceset import Faceset
from ..media.contact import contact_sheet, encode_picture, save_picture
from .faces import measured
from .run import Run

_PAIRS = 12
_CELL = 160
_APART = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covered:
    """The answer, and the measurements that it is about."""

    source: Table
    target: Table
    coverage: Coverage

    def bad(self) -> list[tuple[Path, float, str]]:
        """The target's faces that will look bad, worst first: path, steps away, in what."""
        return [
            (self.target.paths[row], float(self.coverage.away[row]), self.coverage.reasons[row])
            for row in self.coverage.worst()
        ]

    def repeated(self) -> list[tuple[Path, Path]]:
        """The source's faces that look like another, and which."""
        paths = self.source.paths
        return [
            (paths[row], paths[int(other)])
            for row, other in enumerate(self.coverage.repeats)
            if other >= 0
        ]

    def unused(self) -> list[Path]:
        """The source's faces that no face of the target is near to."""
        return [self.source.paths[row] for row in np.flatnonzero(self.coverage.unused)]


def cover(
    run: Run, *, source: Path, target: Path, picture: Path | None = None, page: Path | None = None
) -> Covered:
    """Compare two facesets.

    picture  where to draw the map and the panels;  page  where to write all of it as one HTML file
    """
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{page}: the report is HTML; call it .html")
    ours, source_table = measured(run, source, ALL, COLUMNS)
    theirs, target_table = measured(run, target, ALL, COLUMNS)
    found = Covered(
        source=source_table, target=target_table, coverage=compare(source_table, target_table)
    )
    if picture is None and page is None:
        return found
    drawn = draw_coverage(found.coverage, source_table, target_table)
    if picture is not None:
        save_picture(picture, drawn)
    if page is not None:
        write_whole(page, _page(found, drawn, _worst_pairs(found, ours, theirs)).encode())
    return found


def _worst_pairs(found: Covered, ours: Faceset, theirs: Faceset) -> Image | None:
    """The target's worst faces, each beside the nearest that the source has."""
    images: list[Image] = []
    titles: list[str] = []
    shown: list[int] = []
    coverage = found.coverage
    seen = found.target["landmarks"].reshape(len(found.target), -1)
    for row in coverage.worst().tolist():
        # Neighbouring frames say the same: one of them will do.
        if any(np.abs(seen[row] - seen[other]).sum() < _APART for other in shown):
            continue
        try:
            wanted, _ = theirs.store.read(found.target.paths[row])
            nearest, _ = ours.store.read(found.source.paths[int(coverage.nearest[row])])
        except InputError:
            continue
        shown.append(row)
        images += [wanted, nearest]
        titles += [coverage.reasons[row], "nearest of the source"]
        if len(shown) == _PAIRS:
            break
    return contact_sheet(images, titles, columns=6, width=_CELL) if images else None


def _page(found: Covered, drawn: Image, pairs: Image | None) -> str:
    """One HTML file with everything in it; it loads nothing and runs nothing."""
    coverage = found.coverage
    rows = "".join(
        f"<tr><td>{line.name}<td>{line.edges[0]:.3g} … {line.edges[-1]:.3g} {line.aspect.unit}"
        f"<td>{100 * line.missing:.0f} %</tr>"
        for line in coverage.lines
    )
    bad = "".join(
        f"<tr><td>{html.escape(path.name)}<td>{away:.1f}<td>{reason}</tr>"
        for path, away, reason in found.bad()[:100]
    )
    shown = f"<h2>Worst faces</h2>{_inline(pairs)}" if pairs is not None else ""
    return (
        "<!doctype html><meta charset=utf-8><title>Coverage</title>"
        "<style>body{font:15px sans-serif;background:#202020;color:#ebebeb;margin:2em}"
        "td,th{padding:.2em 1em .2em 0;text-align:left}img{max-width:100%}</style>"
        f"<h1>Coverage</h1><p>{100 * coverage.covered:.0f} % of the target's {len(found.target)} "
        f"faces are covered well by the source's {len(found.source)}; "
        f"{100 * coverage.uncovered:.0f} % have nothing near. {len(found.repeated())} of the "
        f"source's faces repeat another, {len(found.unused())} are near no face of the target.</p>"
        f"{_inline(drawn)}<table><tr><th>aspect<th>range<th>missing</tr>{rows}</table>{shown}"
        f"<h2>Faces that will look bad</h2><table><tr><th>face<th>steps away<th>because</tr>{bad}"
        "</table>"
    )


def _inline(image: Image) -> str:
    data = encode_picture(".png", image) or b""
    return f'<p><img alt="" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
