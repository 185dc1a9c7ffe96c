"""What compositing programs want beside the finished clip: its mask, its faces, their places."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..arrays import as_dtype
from ..atomic import publish, reason
from ..errors import ConfigError, OutputError
from ..media.base import ClipInfo, ClipWriter, OutputOptions, OutputPlan
from ..merging.steps import Shown
from ..types import ColorTags, Frame, Packet, replace

_MARK = ".mien-partial"


def mask_plan(path: str, info: ClipInfo, options: OutputOptions, resume: str = "") -> OutputPlan:
    """How masks are written: grey, 8 bit, silent, lossless in whatever kind of file it is."""
    codec: Any = "ffv1" if Path(path).suffix.lower() in (".mkv", ".avi") else "h264"
    picture: Any = "png" if options.picture == "jpg" else options.picture
    return OutputPlan(
        target=replace(info, pixel_format="gray", bits=8, color=ColorTags(full_range=True)),
        options=OutputOptions(codec=codec, lossless=True, audio=False, picture=picture),
        resume=resume,
    )


class Layers:
    """Collects what was put on every frame, and writes it when the frame is finished.

    `seen` is called by the blending thread, `write` by the one that writes frames; each frame is
    written once, after it was seen.
    """

    def __init__(self) -> None:
        self._masks: ClipWriter | None = None
        self._patches: PatchFolder | None = None
        self._waiting: dict[int, Sequence[Shown]] = {}

    def begin(self, masks: ClipWriter | None, patches: PatchFolder | None) -> None:
        """Say where the layers go, before the first frame."""
        self._masks, self._patches = masks, patches

    @property
    def writers(self) -> list[ClipWriter | PatchFolder]:
        """What is written."""
        return [each for each in (self._masks, self._patches) if each is not None]

    def seen(self, packet: Packet, faces: Sequence[Shown]) -> None:
        """Remember what was put on a frame."""
        self._waiting[packet.frame.index] = faces

    def write(self, packet: Packet) -> None:
        """Write the layers of a finished frame."""
        faces = self._waiting.pop(packet.frame.index, ())
        if self._masks is not None and packet.frame.index >= resumes_at(self._masks):
            self._masks.write(mask_frame(packet.frame, faces))
        if self._patches is not None:
            self._patches.write(packet, faces)

    def forget(self, packet: Packet) -> None:
        """Pass over a frame that is not written."""
        self._waiting.pop(packet.frame.index, None)

    def finish(self) -> list[Path]:
        """Give every layer its name."""
        return [each.finish() for each in self.writers]


def resumes_at(writer: ClipWriter | PatchFolder) -> int:
    """The index of the first frame that a writer wants."""
    return int(getattr(writer, "resumes_at", 0))


def mask_frame(frame: Frame, faces: Sequence[Shown]) -> Frame:
    """The alpha that was used, of all faces of a frame: (H, W, 3) uint8, three times the same."""
    import numpy as np

    height, width = frame.image.shape[:2]
    plate = np.ones((height, width, 1), np.float32)  # how much of the plate is still seen
    for face in faces:
        x0, y0, x1, y1 = face.placed.box
        plate[y0:y1, x0:x1] *= 1 - np.clip(face.blended.alpha, 0, 1)
    mask = as_dtype(1 - plate, np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(mask, (height, width, 3)))
    return replace(frame, image=image, bits=8, color=ColorTags(full_range=True))


class PatchFolder:
    """New faces in their own crops, as 16-bit pictures, and `patches.json` that says where they
    belong.  The folder gets its name by one rename at the end.
    """

    def __init__(self, folder: Path, info: ClipInfo) -> None:
        """Raises OutputError where the folder holds other files or cannot be made."""
        self._folder = folder
        self.partial = folder.with_name(f"{folder.name}.partial")
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise OutputError(f"{folder}: exists and is not empty; name a new folder")
        if self.partial.exists():
            if not (self.partial / _MARK).is_file():
                raise OutputError(f"{self.partial}: is needed, but holds other files; move them")
            shutil.rmtree(self.partial)
        self._count = 0
        head = {
            "clip": info.uri, "width": info.width, "height": info.height, "frames": info.frames,
            "rate": str(info.rate),
            "matrix": "frame pixels to patch pixels; pixel (0, 0) has its centre at 0, 0",
        }  # fmt: skip
        try:
            self.partial.mkdir()
            (self.partial / _MARK).touch()
            self._list: IO[str] = (self.partial / "patches.json").open("w", encoding="utf-8")
            self._list.write(f'{json.dumps(head, indent=1)[:-2]},\n "faces": [')
        except OSError as err:
            raise OutputError(f"{self.partial}: cannot be made ({reason(err)})") from err

    def write(self, packet: Packet, faces: Sequence[Shown]) -> None:
        """Add the faces of a frame.  Raises OutputError where the disk is full."""
        for face in faces:
            position = packet.faces.index(face.face)
            swap = packet.swaps[position]
            assert swap is not None
            entry = self._entry(packet, position, face)
            self._store(entry["patch"], as_dtype(swap.image, "uint16"))
            self._store(entry["mask"], as_dtype(swap.alpha, "uint16"))  # type: ignore[arg-type]
            try:
                self._list.write(("," if self._count else "") + "\n  " + json.dumps(entry))
            except OSError as err:
                raise OutputError(f"{self.partial}: cannot go on ({reason(err)})") from err
            self._count += 1

    def finish(self) -> Path:
        """Complete the list and give the folder its name."""
        try:
            self._end()
            (self.partial / _MARK).unlink(missing_ok=True)
            publish(self.partial, self._folder)
        except OSError as err:
            raise OutputError(f"{self._folder}: cannot be finished ({reason(err)})") from err
        return self._folder

    def keep_partial(self) -> Path | None:
        """Leave what there is, with a list that can be read; None if nothing was written."""
        if not self._list.closed:
            self._end()
        if self._count:
            return self.partial
        shutil.rmtree(self.partial, ignore_errors=True)
        return None

    def _end(self) -> None:
        self._list.write("\n ]\n}\n")
        self._list.flush()
        os.fsync(self._list.fileno())
        self._list.close()

    @staticmethod
    def _entry(packet: Packet, position: int, face: Shown) -> Mapping[str, Any]:
        from ..merging.placing import paste_matrix

        swap = packet.swaps[position]
        assert swap is not None
        stem = f"{packet.frame.index:06d}_{position}"
        return {
            "frame": packet.frame.index,
            "seconds": float(packet.frame.seconds),
            "face": position,
            "track": face.face.track,
            "box": [round(float(side), 3) for side in face.face.box],
            "size": list(swap.image.shape[1::-1]),
            "face_type": str(swap.face_type),
            "matrix": paste_matrix(swap, face.options).tolist(),
            "patch": f"{stem}.png",
            "mask": f"{stem}_mask.png",
        }

    def _store(self, name: str, image: Any) -> None:
        from ..media.contact import encode_picture

        data = encode_picture(".png", image)
        assert data is not None
        try:
            (self.partial / name).write_bytes(data)
        except OSError as err:
            raise OutputError(f"{self.partial / name}: cannot be written ({reason(err)})") from err


def check_layers(masks: str, output: str, patches: Path | None, *, resume: bool) -> None:
    """Raises ConfigError for layers that cannot be written together."""
    if masks and output and Path(masks).resolve() == Path(output).resolve():
        raise ConfigError(f"--masks {masks}: is the output itself; name another file")
    if patches is not None and resume:
        raise ConfigError("--patches: cannot be gone on with; leave out --resume")
