"""New faces in their own crops, for compositing programs: 16-bit pictures and where they belong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..arrays import as_dtype
from ..atomic import publish, reason, write_whole
from ..errors import OutputError
from ..media.base import ClipInfo
from ..media.contact import encode_picture
from ..media.journal import Journal
from ..merging.placing import paste_matrix
from ..merging.steps import Shown
from ..types import Packet

LIST = "patches.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A new face: what the list says of it, and the files of its picture and its mask."""

    entry: Mapping[str, Any]
    picture: bytes
    mask: bytes


def make_patches(packet: Packet, faces: Sequence[Shown]) -> tuple[Patch, ...]:
    """The new faces of a frame, the lowest first."""
    return tuple(_make(packet, each) for each in faces)


def _make(packet: Packet, shown: Shown) -> Patch:
    position = packet.faces.index(shown.face)
    swap = packet.swaps[position]
    assert swap is not None
    assert swap.alpha is not None
    stem = f"{packet.frame.index:06d}_{position}"
    entry = {
        "frame": packet.frame.index,
        "seconds": float(packet.frame.seconds),
        "face": position,
        "track": shown.face.track,
        "box": [round(float(side), 3) for side in shown.face.box],
        "size": list(swap.image.shape[1::-1]),
        "face_type": str(swap.face_type),
        "matrix": paste_matrix(swap, shown.options).tolist(),
        "patch": f"{stem}.png",
        "mask": f"{stem}_mask.png",
    }
    return Patch(entry=entry, picture=_png(swap.image), mask=_png(swap.alpha))


def _png(image: Any) -> bytes:
    data = encode_picture(".png", as_dtype(image, "uint16"))
    assert data is not None
    return data


class PatchFolder:
    """A folder of patches and their list, which gets its name by one rename at the end."""

    def __init__(self, folder: Path, info: ClipInfo, work: str = "") -> None:
        """work  as `OutputPlan.resume`: an unfinished folder of the same work is gone on with

        Raises OutputError where the folder holds other files or cannot be made.
        """
        self._folder = folder
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise OutputError(f"{folder}: exists and is not empty; name a new folder")
        self.partial = folder.with_name(f"{folder.name}.partial")
        self._journal = Journal(self.partial, work)
        self._head = {
            "clip": info.uri, "width": info.width, "height": info.height, "frames": info.frames,
            "rate": str(info.rate),
            "matrix": "frame pixels to patch pixels; pixel (0, 0) has its centre at 0, 0",
        }  # fmt: skip

    @property
    def resumes_at(self) -> int:
        """The index of the first frame that is not on the disk yet."""
        return self._journal.resumes_at

    def write(self, frame: int, patches: Sequence[Patch]) -> None:
        """Add the faces of a frame, of which there may be none.

        Raises OutputError where the disk is full.
        """
        files = [
            (str(each.entry[name]), data)
            for each in patches
            for name, data in (("patch", each.picture), ("mask", each.mask))
        ]
        self._journal.add(frame, files, {"faces": [dict(each.entry) for each in patches]})

    def finish(self) -> Path:
        """Complete the list and give the folder its name."""
        self._write_list()
        self._journal.remove()
        try:
            publish(self.partial, self._folder)
        except OSError as err:
            raise OutputError(f"{self._folder}: cannot be finished ({reason(err)})") from err
        return self._folder

    def keep_partial(self) -> Path | None:
        """Leave what there is, with a list that can be read; None if nothing was written."""
        if any(line["faces"] for line in self._journal.lines):
            self._write_list()
            return self.partial
        self._journal.throw_away()
        return None

    def _write_list(self) -> None:
        faces = [json.dumps(entry) for line in self._journal.lines for entry in line["faces"]]
        head = json.dumps(self._head, indent=1)[:-2]
        text = f'{head},\n "faces": [\n  ' + ",\n  ".join(faces) + "\n ]\n}\n"
        write_whole(self.partial / LIST, text.encode())
