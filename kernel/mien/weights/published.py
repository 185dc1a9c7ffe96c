"""Published weight files that no plugin of this project uses, so that one can be told by its name.

Those that plugins use stand on the plugins' own cards.  `mien weights list --all` and
`mien weights show` know both.
"""

from __future__ import annotations

from ..stages import WeightFile

_FACE_ALIGNMENT = "https://www.adrianbulat.com/downloads/python-fan/"
_FACESWAP = "https://github.com/deepfakes-models/faceswap-models/releases/download/"
_CONVERTED = "repository GPL-3.0; the terms of the net it was converted from hold too"

PUBLISHED: tuple[WeightFile, ...] = (
    WeightFile(
        name="depth-2a464da4ea.pth.tar",
        sha256="2a464da4ea",
        urls=(f"{_FACE_ALIGNMENT}depth-2a464da4ea.pth.tar",),
        summary="Depth of the points of 3DFAN (face-alignment)",
    ),
    WeightFile(
        name="SFD.caffemodel",
        urls=("https://drive.google.com/open?id=1CboBIsjcDQ-FC1rMES6IjTl6sYQDoD6u",),
        licence="none stated",
        summary="S3FD as its authors published it",
    ),
    WeightFile(
        name="face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        urls=(
            "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
            "face_detection_yunet_2023mar.onnx",
        ),
        licence="MIT",
        summary="YuNet, a small face detector (opencv_zoo)",
    ),
    WeightFile(
        name="det_2.5g.onnx",
        urls=("https://github.com/yakhyo/facial-analysis/releases/download/v0.0.1/det_2.5g.onnx",),
        licence="InsightFace, research only",
        non_commercial=True,
        summary="SCRFD, a face detector",
    ),
    WeightFile(
        name="mtcnn_det_v3.1.pt",
        urls=(f"{_FACESWAP}v2.3/mtcnn_det_v3.zip",),
        licence=_CONVERTED,
        summary="MTCNN, the first of three files (faceswap)",
    ),
    WeightFile(
        name="resnet_ssd_v1.caffemodel",
        urls=(f"{_FACESWAP}v4.1/resnet_ssd_v1.zip",),
        licence=_CONVERTED,
        summary="ResNet SSD face detector (faceswap)",
    ),
    WeightFile(
        name="cnn-facial-landmark_v1.pb",
        urls=(f"{_FACESWAP}v1.1/cnn-facial-landmark_v1.zip",),
        licence=_CONVERTED,
        summary="Landmarks by a plain convolutional net (faceswap)",
    ),
    WeightFile(
        name="vggface2_resnet50_v3.pth",
        urls=(f"{_FACESWAP}v10.3/vggface2_resnet50_v3.zip",),
        licence="CC BY-NC 4.0",
        non_commercial=True,
        summary="Identity vectors, VGGFace2 ResNet-50 (faceswap)",
    ),
    WeightFile(
        name="tface_v1.pth",
        urls=(f"{_FACESWAP}v33.1/tface_v1.zip",),
        licence=f"{_CONVERTED} (TFace: Apache-2.0)",
        summary="Identity vectors, T-Face IR-50 (faceswap)",
    ),
    WeightFile(
        name="tface_v2.pth",
        urls=(f"{_FACESWAP}v33.2/tface_v2.zip",),
        licence=f"{_CONVERTED} (TFace: Apache-2.0)",
        summary="Identity vectors, T-Face IR-101 (faceswap)",
    ),
)
