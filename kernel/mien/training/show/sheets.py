"""The sheets of a training: which faces they show, and where they lie.

preview/latest.png              the newest
preview/history/000002500.png   kept for good
preview/timelapse/000000250.png the watched faces
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Image
from ...errors import ConfigError
from ..base import TrainBatch
from ..options_show import ShowOptions
from .preview import contact_sheet, pictures, split_blocks, write_png

TIMELAPSE_FACES = 14
"""Faces of a timelapse at most.  Source: faceswap."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """Some faces of both people as a model shows them.

    columns  of the trainer's preview, by title;  source, source_mask, target, target_mask  the
             faces (N, 3, S, S) themselves and their masks (N, 1, S, S), on the CPU
    """

    columns: Mapping[str, list[Image]]
    source: Tensor
    source_mask: Tensor
    target: Tensor
    target_mask: Tensor

    @property
    def swaps(self) -> list[Image]:
        """The column of the swap; of a model that morphs the last one, which is all source."""
        return self.columns.get("swap") or list(self.columns.values())[-1]


class Viewer:
    """Shows faces to a model, a few at once, as many as a batch of its training has."""

    def __init__(
        self,
        plain: Callable[[Sequence[int], Sequence[int]], TrainBatch],
        show: Callable[[TrainBatch], Mapping[str, list[Image]]],
        at_once: int,
    ) -> None:
        """plain  rows of both people's faces to a batch without any variation

        show  a batch to the columns of a preview
        """
        self._plain, self._show, self._at_once = plain, show, max(1, at_once)

    def look(self, source: Sequence[int], target: Sequence[int]) -> View:
        """These faces; where one person has fewer, theirs come again."""
        count = max(len(source), len(target))
        columns, seen = dict[str, list[Image]](), list[tuple[Tensor, ...]]()
        for start in range(0, count, self._at_once):
            part = range(start, min(start + self._at_once, count))
            rows = ([side[i % len(side)] for i in part] for side in (source, target))
            batch = self._plain(*rows)
            for title, images in self._show(batch).items():
                columns.setdefault(title, []).extend(images)
            sides = (batch.source, batch.target)
            seen.append(tuple(values.cpu() for side in sides for values in (side.face, side.mask)))
        faces, masks, others, other_masks = (
            torch.cat(values) for values in zip(*seen, strict=True)
        )
        return View(
            columns=columns,
            source=faces,
            source_mask=masks,
            target=others,
            target_mask=other_masks,
        )


class Sheets:
    """Writes a model's sheets."""

    def __init__(self, folder: Path, options: ShowOptions) -> None:
        """folder  the model's"""
        self._place = folder / "preview"
        self._options = options

    def write(self, view: View, iteration: int, head: str) -> NDArray[np.uint8]:
        """The preview, and its copy for good where one is due; the sheet."""
        sheet = self._draw(view, head)
        write_png(self._place / "latest.png", sheet)
        every = self._options.preview_history
        if every and iteration % every == 0:
            write_png(self._place / "history" / f"{iteration:09d}.png", sheet)
        return sheet

    def write_timelapse(self, view: View, iteration: int, head: str) -> None:
        """The watched faces as they are now."""
        write_png(self._place / "timelapse" / f"{iteration:09d}.png", self._draw(view, head))

    def _draw(self, view: View, head: str) -> NDArray[np.uint8]:
        masks = (pictures(view.source_mask), pictures(view.target_mask))
        return contact_sheet(split_blocks(view.columns, *masks), head, self._options.preview_width)


def check_timelapse(options: ShowOptions) -> tuple[Path, Path] | None:
    """The folders of the timelapse, None where there shall be none; ConfigError for only one."""
    source, target = options.timelapse_source, options.timelapse_target
    if source is not None and target is not None:
        return source, target
    if source is not None or target is not None:
        there, missing = ("source", "target") if target is None else ("target", "source")
        raise ConfigError(
            f"train.timelapse_{there}: a timelapse needs faces of both people; "
            f"say train.timelapse_{missing} too"
        )
    return None
