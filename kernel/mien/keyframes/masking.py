"""A masker that some keyframe names looks only where it is named."""

from __future__ import annotations

from ..merging.expressions import parse_mask
from ..merging.options import OptionsFor
from ..pipeline import MaskStep
from ..stages import MaskerStage
from ..types import Crop, Packet


class NamedMaskStep(MaskStep):
    """Gives a mask to the faces whose expression names it, and to no other.

    With the mask everywhere, `auto`, which takes every mask that a face has, would show less in
    frames that the keyframe does not touch.
    """

    def __init__(self, name: str, masker: MaskerStage, options_for: OptionsFor) -> None:
        super().__init__(name, masker)
        self._options = options_for

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """As for every face, where the expression names the mask."""
        options = self._options(packet, packet.faces[position])
        if self._name not in parse_mask(options.mask).names:
            return None
        return super().ask(packet, position)
