"""Pictures as a clip: one file, a folder, a numbered pattern or a glob."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from ..arrays import Image
from ..errors import InputError
from ..types import ColorTags, Frame
from .base import ClipInfo, SourceBase
from .contact import load_picture
from .files import PICTURES, counter, fingerprint, natural_key

RATE = Fraction(25)
_SRGB = ColorTags(primaries=1, transfer=13, matrix=0, full_range=True)
_DEPTHS = {"uint8": (8, "bgr24"), "uint16": (16, "bgr48le"), "float32": (32, "bgr48le")}


class PictureSource(SourceBase):
    """Pictures in natural order, 25 a second.  Each frame has its own size, the info the first's.

    A picture that cannot be read is skipped with a note; the index of the others stays their
    place in the list, so that a resumed reading numbers them alike.
    """

    def __init__(self, uri: str | Path) -> None:
        """Find the pictures.  Raises InputError where there are none or none can be read."""
        super().__init__()
        uri = str(uri)
        self._paths = self._find(uri)
        first = self._first(uri)
        height, width = first.shape[:2]
        bits, name = _DEPTHS[first.dtype.name]
        self._info = ClipInfo(
            uri=uri,
            width=width,
            height=height,
            frames=len(self._paths),
            exact=True,
            rate=RATE,
            time_base=1 / RATE,
            seconds=float(len(self._paths) / RATE),
            bits=bits,
            color=_SRGB,
            codec=self._paths[0].suffix.lower().lstrip("."),
            container="pictures",
            pixel_format=name,
            still=True,
            fingerprint=fingerprint(self._paths),
        )

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        """Pictures `start`, `start + step`, … below `stop`, by place in the list."""
        self._check_range(start, stop, step)
        last = len(self._paths) if stop is None else min(stop, len(self._paths))
        for index in range(start, last, step):
            image = self._load(self._paths[index])
            if image is None:
                continue
            yield Frame(
                index=index,
                image=image,
                pts=index,
                time_base=self._info.time_base,
                duration=1,
                bits=_DEPTHS[image.dtype.name][0],
                color=_SRGB,
                name=self._paths[index].stem,
            )

    def _find(self, uri: str) -> list[Path]:
        path = Path(uri)
        if path.is_dir():
            found = _pictures(path.iterdir())
            if not found:
                kinds = ", ".join(PICTURES[:6])
                raise InputError(f"{uri}: the folder holds no pictures ({kinds}, …)")
        elif path.is_file():
            found = [path]
        elif counter(path.name) is not None:
            found = self._numbered(path)
        else:
            found = _pictures(Path(name) for name in glob.glob(uri, recursive=True))  # noqa: PTH207
            if not found:
                raise InputError(f"{uri}: no picture has a name like this")
        return found

    def _numbered(self, pattern: Path) -> list[Path]:
        wanted = counter(pattern.name)
        assert wanted is not None
        if not pattern.parent.is_dir():
            raise InputError(f"{pattern}: there is no folder '{pattern.parent}'")
        matches = ((wanted.fullmatch(path.name), path) for path in pattern.parent.iterdir())
        found = sorted((int(match["number"]), path) for match, path in matches if match)
        if not found:
            raise InputError(f"{pattern}: no file in '{pattern.parent}' has a name like this")
        missing = found[-1][0] - found[0][0] + 1 - len(found)
        if missing:
            self._note(
                f"{pattern}: {missing} of the numbers {found[0][0]} to {found[-1][0]} "
                f"{'is' if missing == 1 else 'are'} missing; the frames are joined without a gap"
            )
        return [path for _, path in found]

    def _first(self, uri: str) -> Image:
        for path in self._paths:
            image = self._load(path)
            if image is not None:
                return image
        if len(self._paths) == 1:
            raise InputError(self._notes[-1])
        raise InputError(f"{uri}: none of the {len(self._paths)} pictures can be read")

    def _load(self, path: Path) -> Image | None:
        try:
            return load_picture(path)
        except InputError as err:
            self._note(str(err) if len(self._paths) == 1 else f"{err}; it is skipped")
            return None


def _pictures(paths: Iterator[Path] | Sequence[Path]) -> list[Path]:
    """The picture files among `paths` in natural order, without the hidden ones."""
    kept = [
        path
        for path in paths
        if path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(kept, key=lambda path: (natural_key(str(path.parent)), natural_key(path.name)))
