"""What compositing programs want beside the finished clip: its mask, its faces, their places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arrays import as_dtype
from ..errors import ConfigError
from ..media.base import ClipInfo, ClipWriter, OutputOptions, OutputPlan
from ..merging.steps import Shown
from ..types import ColorTags, Frame, Packet, replace
from .patches import Patch, PatchFolder, make_patches

if TYPE_CHECKING:
    from ..arrays import Image
    from ..merging.placing import Box


def mask_plan(path: str, info: ClipInfo, options: OutputOptions, resume: str = "") -> OutputPlan:
    """How masks are written: grey, 8 bit, silent, lossless in whatever kind of file it is."""
    codec: Any = "ffv1" if Path(path).suffix.lower() in (".mkv", ".avi") else "h264"
    picture: Any = "png" if options.picture == "jpg" else options.picture
    return OutputPlan(
        target=replace(info, pixel_format="gray", bits=8, color=ColorTags(full_range=True)),
        options=OutputOptions(codec=codec, lossless=True, audio=False, picture=picture),
        resume=resume,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """What was put on a frame.

    mask     the part of the frame that has any alpha, and that, (h, w) uint8; None where there is
             none, or masks are not wanted
    patches  the new faces; none where they are not wanted
    """

    mask: tuple[Box, Image] | None = None
    patches: tuple[Patch, ...] = ()


class Layers:
    """Collects what was put on every frame, and writes it when the frame is finished.

    `seen` is called by the blending thread, `write` by the one that writes frames; each frame is
    written once, after it was seen.
    """

    def __init__(self, *, masks: bool, patches: bool) -> None:
        """Say what is wanted; `begin` says where it goes."""
        self.kinds = ("m" if masks else "") + ("p" if patches else "")
        self._masks: ClipWriter | None = None
        self._patches: PatchFolder | None = None
        self._waiting: dict[int, Layer] = {}

    def begin(self, masks: ClipWriter | None, patches: PatchFolder | None) -> None:
        """Say where the layers go, before the first frame."""
        self._masks, self._patches = masks, patches

    @property
    def writers(self) -> list[ClipWriter | PatchFolder]:
        """What is written."""
        return [each for each in (self._masks, self._patches) if each is not None]

    def seen(self, packet: Packet, faces: Sequence[Shown]) -> None:
        """Remember what was put on a frame."""
        self._waiting[packet.frame.index] = Layer(
            mask=mask_of(faces) if "m" in self.kinds else None,
            patches=make_patches(packet, faces) if "p" in self.kinds else (),
        )

    def of(self, frame: int) -> Layer:
        """What was put on a frame that is not written yet."""
        return self._waiting.get(frame) or Layer()

    def put(self, frame: int, layer: Layer) -> None:
        """Say what was put on a frame when it was rendered earlier."""
        self._waiting[frame] = layer

    def write(self, packet: Packet) -> None:
        """Write the layers of a finished frame."""
        frame = packet.frame
        layer = self._waiting.pop(frame.index, None) or Layer()
        if self._masks is not None and frame.index >= resumes_at(self._masks):
            self._masks.write(_whole(frame, layer.mask))
        if self._patches is not None and frame.index >= resumes_at(self._patches):
            self._patches.write(frame.index, layer.patches)

    def forget(self, packet: Packet) -> None:
        """Pass over a frame that is not written."""
        self._waiting.pop(packet.frame.index, None)

    def finish(self) -> list[Path]:
        """Give every layer its name."""
        return [each.finish() for each in self.writers]


def resumes_at(writer: ClipWriter | PatchFolder) -> int:
    """The index of the first frame that a writer wants."""
    return int(getattr(writer, "resumes_at", 0))


def mask_of(faces: Sequence[Shown]) -> tuple[Box, Image] | None:
    """The alpha that was used, of all faces of a frame: its box in the frame, (h, w) uint8."""
    import numpy as np

    if not faces:
        return None
    sides = list(zip(*(face.placed.box for face in faces), strict=True))
    left, top, right, bottom = min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])
    plate = np.ones((bottom - top, right - left), np.float32)  # how much of it is still seen
    for face in faces:
        x0, y0, x1, y1 = face.placed.box
        plate[y0 - top : y1 - top, x0 - left : x1 - left] *= 1 - np.clip(
            face.blended.alpha[..., 0], 0, 1
        )
    return (left, top, right, bottom), as_dtype(1 - plate, np.uint8)


def mask_frame(frame: Frame, faces: Sequence[Shown]) -> Frame:
    """The alpha that was used, of all faces of a frame: (H, W, 3) uint8, three times the same."""
    return _whole(frame, mask_of(faces))


def _whole(frame: Frame, mask: tuple[Box, Image] | None) -> Frame:
    import numpy as np

    image = np.zeros((*frame.image.shape[:2], 3), np.uint8)
    if mask is not None:
        (x0, y0, x1, y1), part = mask
        image[y0:y1, x0:x1] = part[..., None]
    return replace(frame, image=image, bits=8, color=ColorTags(full_range=True))


def packed(layer: Layer) -> bytes:
    """A layer as bytes: a line of JSON, then the pictures one after the other."""
    from ..media.contact import encode_picture

    parts = [data for patch in layer.patches for data in (patch.picture, patch.mask)]
    head: dict[str, Any] = {"patches": [dict(patch.entry) for patch in layer.patches]}
    if layer.mask is not None:
        picture = encode_picture(".png", layer.mask[1][..., None])
        assert picture is not None
        parts.insert(0, picture)
        head["mask"] = list(layer.mask[0])
    head["sizes"] = [len(part) for part in parts]
    return b"".join([json.dumps(head).encode(), b"\n", *parts])


def unpacked(data: bytes) -> Layer:
    """The layer of which `packed` made these bytes.  Raises ValueError where they are damaged."""
    import cv2
    import numpy as np

    line, _, rest = data.partition(b"\n")
    try:
        head = json.loads(line)
        sizes, entries = head["sizes"], head["patches"]
        count = 2 * len(entries) + ("mask" in head)
        if sum(sizes) != len(rest) or len(sizes) != count or min(sizes, default=1) < 1:
            raise ValueError("a layer is cut off")
    except (KeyError, TypeError) as error:
        raise ValueError(f"no layer: {error}") from error
    parts = []
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    mask = None
    if "mask" in head:
        x0, y0, x1, y1 = head["mask"]
        part = cv2.imdecode(np.frombuffer(parts.pop(0), np.uint8), cv2.IMREAD_UNCHANGED)
        if part is None or part.shape != (y1 - y0, x1 - x0):
            raise ValueError("the mask is damaged")
        mask = ((x0, y0, x1, y1), part)
    patches = [
        Patch(entry=entry, picture=parts[2 * n], mask=parts[2 * n + 1])
        for n, entry in enumerate(entries)
    ]
    return Layer(mask=mask, patches=tuple(patches))


def check_layers(masks: str, output: str, patches: Path | None) -> None:
    """Raises ConfigError for layers that cannot be written together."""
    if masks and output and Path(masks).resolve() == Path(output).resolve():
        raise ConfigError(f"--masks {masks}: is the output itself; name another file")
    for name, path in (("output", output), ("masks", masks)):
        if patches is not None and path and Path(path).resolve() == patches.resolve():
            raise ConfigError(f"--patches {patches}: is the folder of the {name}; name another one")
