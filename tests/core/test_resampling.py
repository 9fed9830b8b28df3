"""Crops as products of matrices, against cutting, filtering and resizing one after the other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import resampling
from vqclip_nb.evaluation.reference_loops import resample


def _plainly(x: Tensor, boxes: Tensor, size: int, smooth: bool) -> Tensor:
    """Each crop of the picture with black around it, by torch's own functions."""
    x, crops = F.pad(x, [50] * 4), []
    for left, top, side in boxes.tolist():
        crop = x[..., top + 50 : top + 50 + side, left + 50 : left + 50 + side]
        if smooth:
            crops.append(resample(crop, size))
        else:
            crops.append(F.interpolate(crop, (size, size), mode="bilinear", align_corners=True))
    return torch.cat(crops)


@given(data=st.data(), size=st.integers(4, 40), smooth=st.booleans())
@settings(max_examples=40)
def test_all_crops_at_once_are_those_one_by_one(data, size, smooth):
    height, width = data.draw(st.tuples(st.integers(30, 90), st.integers(30, 90)))
    x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(size))
    boxes = []
    for _ in range(data.draw(st.integers(1, 5))):
        side = data.draw(st.integers(20, min(height, width) + 40))
        left, top = (
            data.draw(st.integers(-40, max(-40, edge + 40 - side))) for edge in (width, height)
        )
        boxes.append([left, top, side])
    boxes = torch.tensor(boxes)
    found = resampling.crops(x, boxes, size, int(boxes[:, 2].max()), smooth=smooth)
    torch.testing.assert_close(found, _plainly(x, boxes, size, smooth), atol=1e-5, rtol=0)


@pytest.mark.parametrize("smooth", [True, False])
def test_their_gradient_is_the_same(smooth):
    boxes = torch.tensor([[3, 5, 40], [-10, 0, 80], [20, 2, 61]])
    weight = torch.randn(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    gradients = []
    for cut in (
        lambda x: resampling.crops(x, boxes, 24, 80, smooth=smooth),
        lambda x: _plainly(x, boxes, 24, smooth),
    ):
        x = torch.rand(1, 3, 64, 70, generator=torch.Generator().manual_seed(1)).requires_grad_()
        (cut(x) * weight).sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


def test_a_smooth_picture_is_kept_and_a_fine_pattern_becomes_grey():
    whole = torch.tensor([[0, 0, 90]])
    ramp = torch.linspace(0, 1, 90).view(1, 1, 1, 90).expand(1, 3, 90, 90)
    small = resampling.crops(ramp, whole, 30, 90, smooth=True)
    assert (small - torch.linspace(0, 1, 30)).abs().max() < 0.03
    stripes = (torch.arange(90) % 2).float().view(1, 1, 1, 90).expand(1, 3, 90, 90)
    grey = resampling.crops(stripes, whole, 30, 90, smooth=True)
    assert (grey[..., 3:-3] - 0.5).abs().max() < 0.05
