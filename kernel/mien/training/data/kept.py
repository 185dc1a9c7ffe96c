"""Facesets that are decoded once for all stages of a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...stages import Context
from ...types import CropSpec
from ..options_data import DataOptions
from .dataset import CHANNELS, FaceCache
from .recolour import PICTURE
from .supply import load_both

FEW = 25
"""Faces of a person below which a model learns pictures by heart rather than a face."""


class Facesets:
    """Both facesets as the last stage had them; a stage that wants the same gets them again."""

    def __init__(self) -> None:
        self._asked: tuple[Any, ...] = ()
        self._both: tuple[FaceCache, FaceCache] | None = None

    def load(
        self,
        folders: tuple[Path, Path],
        spec: CropSpec,
        options: DataOptions,
        context: Context,
        tell: Callable[[str], None],
    ) -> tuple[FaceCache, FaceCache]:
        """Source and target in memory.

        tell  hears what was left out and what is odd, when they are decoded
        Raises InputError as `load_faces` does.
        """
        asked = (folders, spec, options.mask, options.memory)
        recoloured = bool(options.color_transfer)
        if (
            self._both is not None
            and asked == self._asked[:-1]
            and (recoloured == self._asked[-1] or self._all_fit(options.memory))
        ):
            return self._both
        self._both = None  # gives the memory back before the next ones take theirs
        both = load_both(*folders, spec, options, context, tell)
        for note in dict.fromkeys(note for cache in both for note in _notes(cache)):
            tell(note)
        self._asked, self._both = (*asked, recoloured), both
        return both

    def _all_fit(self, memory: int) -> bool:
        """Whether the source is as it would be with room for other colours, and without."""
        assert self._both is not None
        source = self._both[0]
        needed = source.count * (CHANNELS + PICTURE) * source.faces.shape[-1] ** 2
        return needed <= memory * 1_000_000


def _notes(cache: FaceCache) -> list[str]:
    said = list(cache.notes)
    if len(cache) < FEW:
        said.append(
            f"faceset '{cache.folder}': has few faces ({len(cache)}): the model will know these "
            "pictures rather than the person; some hundreds, in every pose and light, teach it more"
        )
    return said
