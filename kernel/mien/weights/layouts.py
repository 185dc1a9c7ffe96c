"""Which net a file of tensors belongs to, told by its keys and shapes.

A layout is the set of all keys with their shapes; its digest is compared with those of the nets
that are known.  Nets that share a layout cannot be told apart so, and their title says it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

LAYOUTS: Mapping[str, str] = {
    "90505009c0c3": "S3FD (face-alignment, faceswap)",
    "b98e4b6beeea": "FAN of four stacks, 2D or 3D (face-alignment)",
    "d597839515cf": "FAN of four stacks, 2D (faceswap)",
    "fd869027a85e": "depth net of FAN (face-alignment)",
    "96351046d1fd": (
        "RetinaFace MobileNet-0.25 (Pytorch_Retinaface or Face-Detector-1MB: only the SHA-256 "
        "tells which)"
    ),
    "e8493f8f3578": "RetinaFace ResNet-50 (Pytorch_Retinaface)",
    "6952fb152211": "RetinaFace ResNet-50 without landmarks (faceswap)",
    "24cbcb63cfd5": "RetinaFace MobileNet-0.25 without landmarks (faceswap)",
    "f186163b0857": "HRNet landmarks (faceswap)",
    "99c082d77f3b": "BiSeNet ResNet-18, 19 classes (face-parsing.PyTorch)",
    "86801f427047": "BiSeNet ResNet-18, 19 classes (faceswap)",
    "b470d3a85d79": "BiSeNet ResNet-18, 5 classes (faceswap)",
    "b45e3bff5d4c": "VGG-clear (faceswap)",
    "33146882ec87": "VGG-obstructed (faceswap)",
    "bdaef9de93e5": "VGG-obstructed (face_segmentation, by Caffe names)",
    "08cfee31dbe1": "U-Net-DFL (faceswap)",
    "08970614ba95": "VGGFace2 ResNet-50 (faceswap)",
    "6150a93b0e1e": "T-Face IR-50 (faceswap)",
    "982e01df143b": "T-Face IR-101 (faceswap)",
    "997052970da6": "MTCNN, first of three nets (faceswap)",
    "f8081b0f91eb": "MTCNN, second of three nets (faceswap)",
    "2b8345e77861": "MTCNN, third of three nets (faceswap)",
}

# Nets of DeepFaceLab have any number of channels; a few keys show which net it is.
_SIGNS = (
    ("iters:0", "state of an optimiser (DeepFaceLab)"),
    ("conv01/frn/eps:0", "XSeg (DeepFaceLab)"),
    ("down1/downs_0/conv1/weight:0", "encoder (DeepFaceLab SAEHD df or liae, Quick96)"),
    ("down1/conv1/weight:0", "encoder (DeepFaceLab SAEHD with t, AMP)"),
    ("upscalem0/conv1/weight:0", "decoder (DeepFaceLab)"),
    ("dense1/weight:0", "inter (DeepFaceLab SAEHD, Quick96)"),
    ("dense2/weight:0", "inter (DeepFaceLab AMP)"),
    ("convs_0/weight:0", "discriminator (DeepFaceLab)"),
)


def layout_digest(tensors: Mapping[str, Any]) -> str:
    """Twelve hex digits of all keys and shapes; counters of batch norm do not count."""
    lines = sorted(
        f"{key} {tuple(value.shape)}"
        for key, value in tensors.items()
        if not key.endswith("num_batches_tracked")
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def name_net(tensors: Mapping[str, Any]) -> str:
    """The net that has this layout, empty where none is known."""
    known = LAYOUTS.get(layout_digest(tensors), "")
    return known or next((title for key, title in _SIGNS if key in tensors), "")
