"""What `mien extract` keeps of a clip: which frames, which faces, and how a face is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .options import option
from .stages import StageBase
from .types import Face, FaceMask, FaceType, Packet, replace

if TYPE_CHECKING:
    from .arrays import Mask, Matrix
    from .media.base import ClipInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """Which faces are taken out of a clip, and how they are stored."""

    every: int = option(1, "Look at every Nth frame only", unit="frames", ge=1)
    start: int = option(0, "First frame to look at", ge=0)
    stop: int = option(0, "Frame to stop before; 0 for the end of the clip", ge=0)
    face_type: FaceType = option(FaceType.WHOLE, "How much of the head a stored face shows")
    size: int = option(256, "Side of a stored face", unit="pixels", ge=32, le=2048)
    format: Literal["jpg", "png"] = option("jpg", "File type of a stored face; png is lossless")
    quality: int = option(95, "JPEG quality", ge=1, le=100)


class NewStep(StageBase):
    """Takes the faces out of frames that were done before and are only looked at again."""

    batch_size = 8

    def __init__(self, first: int) -> None:
        self._first = first

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets, the known ones without faces."""
        return [
            packet if packet.frame.index >= self._first else replace(packet, faces=())
            for packet in batch
        ]


class DrawStep(StageBase):
    """Writes every frame with what was found in it, faces or not."""

    batch_size = 8

    def __init__(self, folder: Path, first: int, face_type: FaceType) -> None:
        self._folder, self._first, self._face_type = folder, first, face_type

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets as they came."""
        from .drawing import draw_faces
        from .media.contact import save_picture

        for packet in batch:
            frame = packet.frame
            if frame.index >= self._first:
                name = f"{frame.name or f'{frame.index:06d}'}.jpg"
                drawn = draw_faces(frame, packet.faces, self._face_type)
                save_picture(self._folder / name, drawn)
        return list(batch)


class StoreStep(StageBase):
    """Writes every face as a picture with its metadata; the faces that have no landmarks are left
    out.  `written` counts them."""

    batch_size = 8

    def __init__(self, folder: Path, prefix: str, info: ClipInfo, options: ExtractOptions) -> None:
        self._folder, self._prefix = folder, prefix
        self._info, self._options = info, options
        self.written = 0

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets as they came."""
        for packet in batch:
            for number, face in enumerate(packet.faces):
                if face.landmarks is not None:
                    self._store(packet, number, face)
                    self.written += 1
        return list(batch)

    def _store(self, packet: Packet, number: int, face: Face) -> None:
        from .arrays import as_dtype, as_float
        from .faceset import FaceRecord, encode_mask, write_face
        from .geometry import crop_matrix, pose, transform, warp

        assert face.landmarks is not None
        options, frame = self._options, packet.frame
        matrix = crop_matrix(face.landmarks, options.face_type, options.size)
        image = warp(frame.image, matrix, options.size, cubic=True)
        deep = image.dtype != "uint8" and options.format == "png"
        if deep or image.dtype != "uint8":
            image = as_dtype(as_float(image), "uint16" if deep else "uint8")
        points = transform(matrix, face.landmarks)
        turn = pose(points, options.size)
        masks = {
            name: encode_mask(_in_crop(placed, matrix, options.size))
            for name, placed in face.masks.items()
        }
        record = FaceRecord(
            face_type=options.face_type,
            size=options.size,
            matrix=matrix,
            landmarks=points.astype("float32"),
            frame_landmarks=face.landmarks,
            box=face.box,
            clip=self._info.uri,
            fingerprint=self._info.fingerprint,
            frame_index=frame.index,
            pts=frame.pts,
            time_base=frame.time_base,
            face_index=number,
            score=face.score,
            track=face.track,
            masks=masks,
            pose=(turn.pitch, turn.yaw, turn.roll),
        )
        name = f"{self._prefix}_{frame.index:06d}_{number}"
        write_face(
            self._folder, name, image, record, format=options.format, quality=options.quality
        )


def _in_crop(placed: FaceMask, matrix: Matrix, size: int) -> Mask:
    """A mask as it lies in a crop of `size` pixels; itself where it was made for such a crop."""
    from .geometry import compose, invert, warp

    if len(placed.mask) == size and bool((placed.matrix == matrix).all()):
        return placed.mask
    return warp(placed.mask, compose(invert(placed.matrix), matrix), size)
