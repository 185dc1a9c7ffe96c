# ruff: noqa: TID253 - imported only when a net is built
"""FCN-8s over VGG-16 in torch, with the layer names of its Caffe model.

Sources: Shelhamer, Long and Darrell 2017 (FCN); Nirkin et al. 2018 (face segmentation).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import DEPTHS, NetConfig

# The first convolution's border lets the last ones see the picture's corners; the crops undo it.
BORDER = 100
_CROP_POOL4, _CROP_POOL3, _CROP_LAST = 5, 9, 31
SCALE_POOL4, SCALE_POOL3 = 0.01, 0.0001


class FaceSegmenter(nn.Module):
    """Which pixels of a crop are face.

    Takes (N, 3, S, S) BGR 0..255 less the mean; gives the probability of face, (N, 1, S, S).
    """

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        before = 3
        for group, (width, depth) in enumerate(zip(config.widths, DEPTHS, strict=True), 1):
            for number in range(1, depth + 1):
                padding = BORDER if before == 3 else 1
                setattr(self, f"conv{group}_{number}", nn.Conv2d(before, width, 3, padding=padding))
                before = width
        classes = config.classes
        self.fc6 = nn.Conv2d(before, config.hidden, 7)
        self.fc7 = nn.Conv2d(config.hidden, config.hidden, 1)
        self.score_fr = nn.Conv2d(config.hidden, classes, 1)
        self.score_pool4 = nn.Conv2d(config.widths[3], classes, 1)
        self.score_pool3 = nn.Conv2d(config.widths[2], classes, 1)
        self.upscore2 = nn.ConvTranspose2d(classes, classes, 4, stride=2, bias=False)
        self.upscore_pool4 = nn.ConvTranspose2d(classes, classes, 4, stride=2, bias=False)
        self.upscore8 = nn.ConvTranspose2d(classes, classes, 16, stride=8, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """Probability of face, (N, 1, S, S)."""
        chances = functional.softmax(self.score(image), dim=1)
        if self.config.face < 0:
            return 1 - chances[:, :1]
        return chances[:, self.config.face : self.config.face + 1]

    def score(self, image: Tensor) -> Tensor:
        """Logits of all classes, (N, classes, S, S)."""
        x, pooled = image, []
        for group, depth in enumerate(DEPTHS, 1):
            for number in range(1, depth + 1):
                x = functional.relu(getattr(self, f"conv{group}_{number}")(x))
            x = self._pool(x)
            pooled.append(x)
        x = functional.relu(self.fc6(x))
        x = self.upscore2(self.score_fr(functional.relu(self.fc7(x))))
        x = x + _crop(self.score_pool4(SCALE_POOL4 * pooled[3]), _CROP_POOL4, x)
        x = self.upscore_pool4(x)
        x = x + _crop(self.score_pool3(SCALE_POOL3 * pooled[2]), _CROP_POOL3, x)
        return _crop(self.upscore8(x), _CROP_LAST, image)

    def _pool(self, x: Tensor) -> Tensor:
        """Half the size, rounded up."""
        if not self.config.parity:
            return functional.max_pool2d(x, 2, ceil_mode=True)
        return functional.max_pool2d(x, 2, padding=x.shape[-1] % 2)


def _crop(x: Tensor, start: int, like: Tensor) -> Tensor:
    """The part of `x` that begins at (start, start) and is as large as `like`."""
    height, width = like.shape[2:]
    return x[:, :, start : start + height, start : start + width]


def empty_net(config: NetConfig) -> FaceSegmenter:
    """The net without numbers in it: no time is lost on a random start that weights replace."""
    with torch.device("meta"):
        net = FaceSegmenter(config)
    return net.to_empty(device="cpu").eval()
