"""Separable filters: what lies beyond the edge, and agreement with plain convolutions."""

from __future__ import annotations

import pytest
import torch
from mien.training.losses.filters import Edge, blurred, filtered, gaussian_kernel
from torch.nn import functional as nnf

PADDED = {"black": "constant", "mirror": "reflect", "repeat": "replicate"}


@pytest.mark.parametrize("edge", PADDED)
def test_a_blur_is_the_convolution_of_the_padded_picture(edge: Edge) -> None:
    picture = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(0))
    line = torch.tensor(gaussian_kernel(5, 1.3))
    kernel = (line[:, None] * line).expand(3, 1, 5, 5)
    padded = nnf.pad(picture, (2, 2, 2, 2), mode=PADDED[edge])
    torch.testing.assert_close(
        blurred(picture, 5, 1.3, edge=edge), nnf.conv2d(padded, kernel, groups=3)
    )


def test_valid_windows_may_be_even_and_leave_a_smaller_picture() -> None:
    picture = torch.arange(12.0).view(1, 1, 3, 4)
    half = (0.5, 0.5)
    torch.testing.assert_close(
        filtered(picture, half, half, edge="valid"), nnf.avg_pool2d(picture, 2, stride=1)
    )


def test_rows_and_columns_have_kernels_of_their_own() -> None:
    picture = torch.zeros(1, 1, 5, 5)
    picture[..., 2, 2] = 1
    seen = filtered(picture, (0.0, 1.0, 2.0), (3.0, 1.0, 0.0), edge="black")[0, 0]
    wanted = torch.zeros(5, 5)
    wanted[2, 2], wanted[1, 2], wanted[2, 3], wanted[1, 3] = 1, 2, 3, 6
    torch.testing.assert_close(seen, wanted)


@pytest.mark.parametrize(("edge", "width"), [("valid", 9), ("mirror", 17)])
def test_a_window_that_does_not_fit_is_refused(edge: Edge, width: int) -> None:
    with pytest.raises(ValueError, match=f"a window of {width} pixels does not fit"):
        blurred(torch.rand(1, 1, 8, 8), width, 1.5, edge=edge)
