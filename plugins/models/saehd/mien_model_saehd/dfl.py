"""SAEHD's options as DeepFaceLab keeps them."""

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

_SIZES = ("resolution", "ae_dims", "e_dims", "d_dims", "d_mask_dims")
_SWITCHES = ("masked_training", "eyes_mouth_prio", "blur_out_mask")
_POWERS = ("gan_power", "true_face_power", "face_style_power", "bg_style_power")
_SAME: Mapping[str, type] = {
    **dict.fromkeys(_SIZES, int),
    **dict.fromkeys(_SWITCHES, bool),
    **dict.fromkeys(_POWERS, float),
    "gan_patch_size": int,
    "gan_dims": int,
    "archi": str,
}


def ours(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Its options as ours.  Raises ConfigError where one is missing that the net depends on."""
    options = take(theirs, _SAME, (*_SIZES, "archi"))
    options["archi"] = options["archi"].lower()
    if options["archi"].startswith("liae"):
        options["true_face_power"] = 0.0
    # It freezes this part of a liae model wherever random warp is off.
    frozen = options["archi"].startswith("liae") and theirs.get("random_warp", True) is False
    return options | {
        "face_type": our_face_type(theirs.get("face_type")),
        "optimizer": "adabelief" if theirs.get("adabelief", True) else "rmsprop",
        "lr_dropout": is_on(theirs.get("lr_dropout", "n")),
        "clip": bool(theirs.get("clipgrad", False)),
        "freeze_common": frozen,
        "parity": True,
    }


def theirs(ours: Any) -> dict[str, Any]:
    """All that it asks of a model; what belongs to a training is as it is for a new one."""
    options = {name: getattr(ours, name) for name in _SAME}
    return options | {
        "gan_patch_size": ours.gan_patch_size or ours.resolution // 8,
        "face_type": their_face_type(ours.face_type.value),
        "adabelief": ours.optimizer == "adabelief",
        "lr_dropout": "y" if ours.lr_dropout else "n",
        "clipgrad": ours.clip,
        "random_warp": not ours.freeze_common,
        "autobackup_hour": 0,
        "write_preview_history": False,
        "target_iter": 0,
        "random_src_flip": False,
        "random_dst_flip": True,
        "batch_size": 8,
        "uniform_yaw": False,
        "models_opt_on_gpu": True,
        "random_hsv_power": 0.0,
        "ct_mode": "none",
        "pretrain": False,
    }


DFL = DflKind(
    name="SAEHD",
    ours=ours,
    theirs=theirs,
    judges={
        "gan": JudgeFiles(weights="GAN", slots="GAN_opt", scope="D_src"),
        "code": JudgeFiles(weights="code_discriminator", slots="D_code_opt", scope="dis"),
    },
)
