"""Augmentations and cut methods against kornia's and torchvision's own classes, by what they do to
pictures: how much they black out, how much they keep, the contrast, and how far they shift."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import transforms

from vqclip_nb.core import augmentations, notebook_cutouts
from vqclip_nb.core.augmentations import AUGMENTS, Chances
from vqclip_nb.core.crop_changes import Bend, Erase
from vqclip_nb.evaluation.reference_loops import resample
from vqclip_nb.prompt_syntax import parse_augments

kornia = pytest.importorskip("kornia.augmentation", reason="kornia is not installed")
SIZE, DRAWS = 16, 20_000
WITHIN = 0.02


def _pictures(height: int = SIZE, width: int = SIZE) -> tuple[Tensor, Tensor]:
    """A white picture, and one of ramps across and down and of waves, [1, 3, H, W]."""
    across = torch.linspace(0, 1, width).expand(height, width)
    down = torch.linspace(0, 1, height).view(-1, 1).expand(height, width)
    waves = 0.5 + 0.5 * torch.sin(9 * across + 4 * down)
    return torch.ones(1, 3, height, width), torch.stack([across, down, waves])[None]


def _looks(white: Tensor, coloured: Tensor) -> dict[str, float]:
    """The four figures of crops [n, 3, S, S] of both pictures."""
    return {
        "black": (white < 0.02).float().mean().item(),
        "kept": white.mean().item(),
        "contrast": coloured.std((2, 3)).mean().item(),
        "shift": coloured[:, :2].mean((2, 3)).std(0).mean().item(),
    }


def _assert_alike(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Shares differ by at most 0.02, the others by at most 2 % or 0.002 of the picture's range."""
    for name in ("black", "kept"):
        assert ours[name] == pytest.approx(theirs[name], abs=WITHIN), (name, ours, theirs)
    for name in ("contrast", "shift"):
        assert ours[name] == pytest.approx(theirs[name], rel=WITHIN, abs=0.002), (
            name,
            ours,
            theirs,
        )


AFFINE = {"translate": 0.1, "shear": 5.0}
CROP = {"ratio": (0.75, 1.333), "cropping_mode": "resample"}
ALONE = {  # kornia's with the parameters of the notebooks, and ours
    "flip": (lambda: kornia.RandomHorizontalFlip(p=0.5), ("flip", 1.0, 0.5), {}),
    "Af": (lambda: kornia.RandomAffine(15.0, **AFFINE, p=0.7), ("affine", 15, 0.7), {"shear": 5}),
    "border": (
        lambda: kornia.RandomAffine(30.0, 0.1, p=0.8, padding_mode="border"),
        ("affine", 30, 0.8),
        {"padding": "border"},
    ),
    "Pe": (lambda: kornia.RandomPerspective(0.7, p=0.7), ("perspective", 0.7, 0.7), {}),
    "slight Pe": (lambda: kornia.RandomPerspective(0.2, p=0.4), ("perspective", 0.2, 0.4), {}),
    "Ro": (lambda: kornia.RandomRotation(15.0, p=0.7), ("rotate", 15, 0.7), {}),
    "Et": (lambda: kornia.RandomElasticTransform(p=0.7), ("elastic", 1.0, 0.7), {}),
    "Sh": (lambda: kornia.RandomSharpness(0.3, p=0.5), ("sharpness", 0.3, 0.5), {}),
    "Gn": (lambda: kornia.RandomGaussianNoise(0.0, 1.0, p=0.5), ("noise", 1.0, 0.5), {}),
    "Ji": (lambda: kornia.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.7), ("jitter", 0.1, 0.7), {}),
    "hue": (
        lambda: kornia.ColorJitter(hue=0.1, saturation=0.1, p=0.7),
        ("jitter", 0.1, 0.7),
        {"light": False},
    ),
    # the coin is the batch's: without it each crop counts
    "Re": (
        lambda: kornia.RandomResizedCrop((SIZE, SIZE), scale=(0.1, 1), **CROP, p=1.0),
        ("crop", 0.1, 1.0),
        {},
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_an_augmentation_does_what_kornias_does(name):
    torch.manual_seed(1)
    make, (ours, *numbers), options = ALONE[name]
    theirs, chances = make(), Chances(torch.Generator().manual_seed(2), DRAWS, SIZE)
    batches = [picture.expand(DRAWS, -1, -1, -1).contiguous() for picture in _pictures()]
    found = _looks(*(AUGMENTS[ours](chances, *numbers, **options).apply(x) for x in batches))
    _assert_alike(found, _looks(*(theirs(x) for x in batches)))


@pytest.mark.parametrize(
    ("make", "name", "strength"),
    [
        (lambda: kornia.RandomErasing((0.1, 0.4), (0.3, 1 / 0.3), p=0.7), "erase", 0.4),
        (lambda: kornia.RandomThinPlateSpline(0.8, p=0.7), "spline", 0.8),
    ],
)
def test_an_augmentation_that_all_crops_share_does_what_kornias_does(make, name, strength):
    torch.manual_seed(3)
    generator, draws = torch.Generator().manual_seed(4), 4000
    made = [AUGMENTS[name](Chances(generator, 1, SIZE), strength, 0.7) for _ in range(draws)]
    ours = {
        "erase": lambda: Erase(torch.cat([each.box for each in made])),
        "spline": lambda: Bend(torch.cat([each.offsets for each in made])),
    }[name]()
    batches = [picture.expand(draws, -1, -1, -1).contiguous() for picture in _pictures()]
    found, wanted = _looks(*map(ours.apply, batches)), _looks(*map(make(), batches))
    for figure, value in wanted.items():
        assert found[figure] == pytest.approx(value, abs=WITHIN), figure


def test_kornias_crop_of_the_same_size_changes_nothing():
    """Nerdyrodent's `Cr`; so nothing is drawn for it here."""
    x = torch.rand(4, 3, SIZE, SIZE)
    theirs = kornia.RandomCrop((SIZE, SIZE), pad_if_needed=True, padding_mode="reflect", p=1.0)
    torch.testing.assert_close(theirs(x), x)
    chances = Chances(torch.Generator(), 4, SIZE)
    assert notebook_cutouts.drawn(parse_augments("Cr"), chances, "latest") == ()


def _squares(x: Tensor, n: int) -> Tensor:
    """Crowson's random squares, one after the other."""
    height, width = x.shape[-2:]
    longest, shortest = min(height, width), min(height, width, SIZE)
    crops = []
    for share in torch.rand(n).tolist():
        side = int(share * (longest - shortest) + shortest)
        left, top = (int(torch.randint(0, room - side + 1, ())) for room in (width, height))
        crops.append(resample(x[..., top : top + side, left : left + side], SIZE))
    return torch.cat(crops)


def _pooled(x: Tensor, n: int) -> Tensor:
    pooled = (F.adaptive_avg_pool2d(x, SIZE) + F.adaptive_max_pool2d(x, SIZE)) / 2
    return pooled.repeat(n, 1, 1, 1)


def _erasing() -> nn.Module:
    return kornia.RandomErasing((0.1, 0.4), (0.3, 1 / 0.3), same_on_batch=True, p=0.7)


METHODS = {
    "original": (_squares, lambda: nn.Identity()),
    "updated": (
        _squares,
        lambda: nn.Sequential(
            kornia.RandomHorizontalFlip(p=0.5),
            kornia.ColorJitter(hue=0.01, saturation=0.01, p=0.7),
            kornia.RandomSharpness(0.3, p=0.4),
            kornia.RandomAffine(30.0, 0.1, p=0.8, padding_mode="border"),
            kornia.RandomPerspective(0.2, p=0.4),
        ),
    ),
    "nrupdated": (
        _squares,
        lambda: nn.Sequential(
            kornia.RandomAffine(30.0, **AFFINE, p=0.7),
            kornia.RandomPerspective(0.5, p=0.7),
            kornia.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.7),
            _erasing(),
        ),
    ),
    "updatedpooling": (
        _pooled,
        lambda: nn.Sequential(
            kornia.RandomAffine(15.0, 0.1, p=0.7, padding_mode="border"),
            kornia.RandomPerspective(0.7, p=0.7),
            kornia.ColorJitter(hue=0.1, saturation=0.1, p=0.7),
            _erasing(),
        ),
    ),
    "latest": (
        _pooled,
        lambda: nn.Sequential(
            kornia.RandomAffine(15.0, **AFFINE, p=0.7),
            kornia.RandomPerspective(0.7, p=0.7),
            kornia.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.7),
            _erasing(),
        ),
    ),
}


def _ours(method: str, x: Tensor, batches: int, n: int) -> Tensor:
    generator, shape = torch.Generator().manual_seed(5), tuple(x.shape[-2:])
    draws = (
        notebook_cutouts.draw(method, generator, n, SIZE, shape, 1.0, 0.0) for _ in range(batches)
    )
    return torch.cat([notebook_cutouts.apply(x, each) for each in draws])


@pytest.mark.parametrize("method", METHODS)
def test_a_cut_method_does_what_its_notebook_does(method):
    torch.manual_seed(6)
    batches, n, pictures = 300, 16, _pictures(28, 36)
    cut, make = METHODS[method]
    augments = make()
    # kornia's perspective divides by zero in one pixel of these crops
    theirs = [
        torch.cat([augments(cut(picture, n)).nan_to_num() for _ in range(batches)])
        for picture in pictures
    ]
    found, wanted = _looks(*(_ours(method, x, batches, n) for x in pictures)), _looks(*theirs)
    for figure, value in wanted.items():
        assert found[figure] == pytest.approx(value, abs=WITHIN), figure


def _of_the_seed(x: Tensor, turn: nn.Module, n: int) -> Tensor:
    """The seed's crops of a square picture: pad, turn once, cut."""
    side = x.shape[-1]
    x = turn(F.pad(x, [side // 2] * 4))
    crops = []
    for _ in range(n):
        gap = int((1.2 + 0.3 * torch.randn(())).clamp(0.43, 1.9) * side)
        left, top = (int(torch.randint(0, 2 * side - gap, ())) for _ in range(2))
        crop = x[..., top : top + gap, left : left + gap]
        crops.append(F.interpolate(crop, (SIZE, SIZE), mode="bilinear", align_corners=True))
    return torch.cat(crops)


def test_the_seeds_crops_are_turned_as_by_torchvision():
    torch.manual_seed(7)
    batches, n, pictures = 1500, 2, _pictures(24, 24)
    turn = nn.Sequential(
        transforms.RandomHorizontalFlip(), transforms.RandomAffine(30, (0.2, 0.2), fill=0)
    )
    theirs = [torch.cat([_of_the_seed(x, turn, n) for _ in range(batches)]) for x in pictures]
    found, wanted = _looks(*(_ours("padded", x, batches, n) for x in pictures)), _looks(*theirs)
    for figure, value in wanted.items():
        assert found[figure] == pytest.approx(value, abs=WITHIN), figure


@pytest.mark.parametrize("shape", [(24, 24), (24, 40)])
def test_the_seeds_turn_keeps_the_picture_and_its_proportions(shape):
    """The border has room for all turns and moves but the widest."""
    x = torch.zeros(1, 1, *(2 * side for side in shape))
    x[..., shape[0] // 2 : -(shape[0] // 2), shape[1] // 2 : -(shape[1] // 2)] = 1
    area = []
    for seed in range(100):
        chances = Chances(torch.Generator().manual_seed(seed), 1, SIZE)
        turn = notebook_cutouts._turn(chances, tuple(x.shape[-2:]))
        across, down = (
            turn.matrix[0, :2, :2]
            * torch.tensor(shape).flip(0).view(2, 1)
            / torch.tensor(shape).flip(0)
        ).unbind(1)
        assert (across @ down / (across.norm() * down.norm())).abs() < 1e-4
        area.append((turn.apply(x).sum() / x.sum()).item())
    assert sum(area) / len(area) == pytest.approx(1.0, abs=0.06)


def test_a_perspective_takes_the_frames_corners_to_those_drawn():
    frame = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    end = torch.tensor([[[-0.8, -0.7], [0.9, -1.0], [0.6, 0.8], [-1.0, 0.9]]])
    matrix = augmentations.through(frame[None], end)[0]
    for wanted, corner in zip(frame, end[0], strict=True):
        x, y, w = (matrix @ torch.tensor([*corner.tolist(), 1.0])).tolist()
        assert (x / w, y / w) == pytest.approx(tuple(wanted.tolist()), abs=1e-5)
