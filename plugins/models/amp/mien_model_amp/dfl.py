"""AMP's options as DeepFaceLab keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.nets.dflkind import (
    DflKind,
    JudgeFiles,
    is_on,
    our_face_type,
    take,
    their_face_type,
)

_SIZES = ("resolution", "ae_dims", "inter_dims", "e_dims", "d_dims", "d_mask_dims")
_SAME: Mapping[str, type] = {
    **dict.fromkeys(_SIZES, int),
    "morph_factor": float,
    "blur_out_mask": bool,
    "gan_power": float,
    "gan_patch_size": int,
    "gan_dims": int,
}


def ours(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Its options as ours.  Raises ConfigError where one is missing that the net depends on."""
    return take(theirs, _SAME, _SIZES) | {
        "face_type": our_face_type(theirs.get("face_type")),
        "lr_dropout": is_on(theirs.get("lr_dropout", "n")),
        "clip": bool(theirs.get("clipgrad", False)),
        "parity": True,
    }


def theirs(ours: Any) -> dict[str, Any]:
    """All that it asks of a model; what belongs to a training is as it is for a new one."""
    options = {name: getattr(ours, name) for name in _SAME}
    return options | {
        "gan_patch_size": ours.gan_patch_size or ours.resolution // 8,
        "face_type": their_face_type(ours.face_type.value),
        "lr_dropout": "y" if ours.lr_dropout else "n",
        "clipgrad": ours.clip,
        "random_warp": True,
        "autobackup_hour": 0,
        "write_preview_history": False,
        "target_iter": 0,
        "random_src_flip": False,
        "random_dst_flip": True,
        "batch_size": 8,
        "uniform_yaw": False,
        "models_opt_on_gpu": True,
        "ct_mode": "none",
    }


DFL = DflKind(
    name="AMP",
    ours=ours,
    theirs=theirs,
    judges={"gan": JudgeFiles(weights="GAN", slots="GAN_opt", scope="GAN")},
    untrained=("inter_src.", "inter_dst."),
)
