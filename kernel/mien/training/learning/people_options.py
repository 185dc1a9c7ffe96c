"""What a user may set of every model that learns two people with losses by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from ...errors import ConfigError
from ...options import option
from ...types import FaceType

Loss = Literal[
    "ssim",
    "ms_ssim",
    "gmsd",
    "mae",
    "mse",
    "logcosh",
    "smooth",
    "laploss",
    "ffl",
    "flip",
    "l_inf_norm",
    "pixel_gradient_diff",
]
FurtherLoss = Literal[
    "none",
    "ssim",
    "ms_ssim",
    "gmsd",
    "mae",
    "mse",
    "logcosh",
    "smooth",
    "laploss",
    "ffl",
    "flip",
    "l_inf_norm",
    "pixel_gradient_diff",
]


_NO_NET: Mapping[str, str] = dict.fromkeys(
    ("lpips_alex", "lpips_squeeze", "lpips_vgg16"),
    "looks through a net that was taught with pictures for research only, so none comes with this "
    "program",
)
_OPTIMIZERS: Mapping[str, str] = {
    "adamw": "is adam with weight_decay",
    "rms-prop": "is called rmsprop",
}
_SHARES = ("adam", "adamax", "nadam", "lion")
_MEANS: Mapping[str, tuple[str, ...]] = {
    "beta_1": _SHARES,
    "beta_2": _SHARES,
    "epsilon_exponent": _SHARES[:-1],
    "weight_decay": _SHARES,
}
"""Optimizers to which an option means something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOptions:
    """How it learns; a model adds what its net is made by."""

    face_type: FaceType = option(FaceType.FULL, "How much of the head it learns")
    learn_mask: bool = option(False, "Learn where the face is, too")

    reflect_padding: bool = option(
        False, "Nets see a face mirrored beyond its edges, not black: fewer marks at the border"
    )
    icnr_init: bool = option(
        False, "Begin with upscales that make four pixels alike, against chequered faces"
    )
    conv_aware_init: bool = option(
        False, "Begin with convolutions of orthogonal spectra: slow to begin, quicker to learn"
    )

    learning_rate: float = option(5e-5, "Step size of the optimiser", gt=0, le=0.1)
    optimizer: Literal["adam", "adamax", "nadam", "lion", "adabelief", "rmsprop"] = option(
        "adam",
        "What moves the weights: the first four as faceswap has them, the others as DeepFaceLab; "
        "lion wants a third of adam's learning rate",
        absent=_OPTIMIZERS,
    )
    beta_1: float = option(0.9, "adam…lion: share of the mean that stays", ge=0, le=0.9999)
    beta_2: float = option(0.999, "adam…lion: the same of the second mean", ge=0, le=0.999999)
    epsilon_exponent: int = option(
        -7, "adam…nadam: power of ten that keeps small gradients from large steps", ge=-20, le=0
    )
    weight_decay: float = option(
        0.0, "adam…lion: how fast weights shrink by themselves, as AdamW has it", ge=0, le=1
    )
    loss: Loss = option("ssim", "What counts as alike", absent=_NO_NET)
    loss_2: FurtherLoss = option("mse", "A second measure, added to the first", absent=_NO_NET)
    loss_2_weight: float = option(1.0, "How much the second counts", ge=0, le=100)
    loss_3: FurtherLoss = option("none", "A third measure, added to the others", absent=_NO_NET)
    loss_3_weight: float = option(1.0, "How much the third counts", ge=0, le=100)
    loss_4: FurtherLoss = option("none", "A fourth measure, added to the others", absent=_NO_NET)
    loss_4_weight: float = option(1.0, "How much the fourth counts", ge=0, le=100)
    mask_loss: Literal["mse", "mae"] = option("mse", "What counts as alike for masks")
    eye_multiplier: float = option(3.0, "How much more eyes count than the rest", ge=1, le=40)
    mouth_multiplier: float = option(2.0, "How much more the mouth counts", ge=1, le=40)
    masked: bool = option(True, "Only the face counts, not what is around it")
    margin: float = option(
        8.0,
        "How far around the face's mask it learns all the same: two faces differ in outline, and "
        "what shows at the edge of one must have been learned from the other",
        unit="%",
        ge=0,
        le=50,
    )
    batch_size: int = option(8, "Faces swapped at once", ge=1, le=256)

    def __post_init__(self) -> None:
        """Raises ConfigError where something is set that means nothing."""
        defaults = {field.name: field.default for field in fields(self)}
        problems = [
            f"{name} {getattr(self, name)}: means something to {', '.join(known)} only, and the "
            f"optimizer is {self.optimizer}; leave it out, or take one of those"
            for name, known in _MEANS.items()
            if self.optimizer not in known and getattr(self, name) != defaults[name]
        ]
        if problems:
            raise ConfigError(problems)

    @property
    def measures(self) -> tuple[tuple[str, float], ...]:
        """The losses that count, with their weights; a name may stand twice."""
        listed = (
            (self.loss, 1.0),
            (self.loss_2, self.loss_2_weight),
            (self.loss_3, self.loss_3_weight),
            (self.loss_4, self.loss_4_weight),
        )
        return tuple((name, weight) for name, weight in listed if name != "none" and weight > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledOptions(PeopleOptions):
    """Of models whose nets can be made narrower as a whole."""

    width: float = option(
        1.0, "Share of the original's channels; less is faster and coarser", ge=0.0625, le=2
    )


def share(channels: int, width: float) -> int:
    """A share of so many channels: a multiple of 8, at least 8; all of them at width 1."""
    return channels if width == 1 else max(8, round(channels * width / 8) * 8)
