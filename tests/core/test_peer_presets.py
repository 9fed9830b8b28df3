"""What the presets of the public loops do besides their crops: pictures, optimizers, weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.core import notebook_cutouts
from vqclip_nb.core.images import squashed, within_area
from vqclip_nb.core.latents import stream
from vqclip_nb.core.losses import great_circle
from vqclip_nb.core.optimizers import make_optimizer
from vqclip_nb.core.targets import make_target
from vqclip_nb.evaluation.reference_loops import CodebookLoop, crops_of
from vqclip_nb.models.loading import pick_device

PEERS = ("crowson", "nerdyrodent")


@pytest.fixture
def photo(tmp_path):
    """A wide picture, as a file."""
    rows, columns = np.mgrid[0:40, 0:100]
    pixels = np.stack([rows * 6, columns * 2, (rows * columns) % 256], -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255


def test_a_picture_is_squashed_and_shrunk_as_by_pillow(photo):
    image = Image.open(photo)
    x = _tensor(image)
    for found, size in (
        (squashed(x, 64, 64), (64, 64)),
        (within_area(x, 40, 40), (63, 25)),  # 40² pixels at a ratio of 2.5
        (within_area(x, 400, 400), (100, 40)),
    ):
        torch.testing.assert_close(found, _tensor(image.resize(size, Image.LANCZOS)))


@pytest.mark.parametrize("preset", PEERS)
def test_a_picture_prompt_is_one_goal_a_crop_as_in_the_notebooks(preset, tiny, photo):
    perceptor, x = tiny.perceptors[0], _tensor(Image.open(photo))
    settings = vq.Settings.preset(
        preset, prompt="photo.png:0.5:0.9", seed=3, cutn=5, im_shape=(64, 64)
    )
    target = make_target(perceptor, settings, lambda name: x)
    draws = notebook_cutouts.draw(
        settings.cut_method,
        stream(3, 0, 1_000_000),
        5,
        perceptor.input_size,
        (40, 100),
        1.0,
        settings.noise_factor,
    )
    with torch.no_grad():
        embeds = perceptor.encode_image(crops_of(x, draws))  # 40 x 100 is less than 64 x 64
    torch.testing.assert_close(target.goals, F.normalize(embeds, dim=1), atol=1e-4, rtol=1e-3)
    emb = torch.randn(7, embeds.shape[1])
    theirs = CodebookLoop.prompt_loss(emb, embeds, 0.5, 0.9)
    distances = great_circle(F.normalize(emb, dim=1)[:, None], target.goals)  # (7, 5)
    assert (distances.mean(0) @ target.weights).item() == pytest.approx(theirs.item(), abs=1e-4)
    assert target.stops.tolist() == pytest.approx([0.9] * 5)
    assert target.phrases == (0,) * 5


def test_otherwise_a_picture_prompt_is_one_goal(tiny, photo):
    x = _tensor(Image.open(photo))
    target = make_target(tiny.perceptors[0], vq.Settings(prompt="photo.png"), lambda name: x)
    expected = F.normalize(tiny.perceptors[0].encode_image(x), dim=1).detach()
    torch.testing.assert_close(target.goals, expected)


@pytest.mark.parametrize("preset", PEERS)
def test_an_initial_picture_is_squashed_onto_the_codebook(preset, tiny, photo, quick):
    out = quick.pop("out")
    plan = vq.Settings.preset(preset, **quick, init_image=str(photo), prompt=f"a cat | {photo}")
    run = vq.Run(plan, models=tiny, out=out)
    start = run.loop.latent.start
    x = _tensor(Image.open(photo).resize((64, 64), Image.LANCZOS))
    torch.testing.assert_close(start, tiny.vqgan.quantize(tiny.vqgan.encode(x))[0])
    assert torch.cdist(start[0].flatten(1).T, tiny.vqgan.codebook).min(1).values.max() < 1e-2
    assert len(list(run)) == quick["total_iter"]


def test_rmsprop_has_torchs_own_alpha():
    z = torch.zeros(1, 2, 3, 3, requires_grad=True)
    optimizer = make_optimizer(vq.Settings(optimizer="RMSprop", learning_rate=0.1), z)
    z.grad = torch.ones_like(z)
    optimizer.step()
    # 0.1 / sqrt((1 - 0.99) * 1)
    torch.testing.assert_close(z.detach(), torch.full_like(z, -1.0))


@pytest.mark.parametrize("preset", PEERS)
def test_the_peers_adamw_keeps_torchs_decay(preset):
    assert vq.Settings.preset(preset).wd == 0
    assert vq.Settings.preset(preset, optimizer="AdamW").wd == 0.01
    assert vq.Settings.preset(preset, optimizer="AdamW", wd=0.2).wd == 0.2
    assert vq.Settings.preset("studio", optimizer="AdamW").wd == 0


def test_a_gpu_can_be_chosen_by_its_number(monkeypatch):
    assert vq.Settings(device="cuda:1").device == "cuda:1"
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda, mps, cuda:N"):
        vq.Settings(device="cuda:x")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device("auto") == torch.device("cuda")
    with pytest.raises(ValueError, match=r"which this machine lacks: allowed is auto, .*cuda:1\."):
        pick_device("cuda:2")
