"""What a painting begins with, what of it may change, and that all of it resumes exactly."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from quick_runs import finished, run_of, settings_of, stopped
from random_settings import allowed_values

import vqclip_nb as vq
from vqclip_nb.core.latents import begin, gumbel_noise, quantize, stream
from vqclip_nb.settings import specs


def _paint(quick, tiny, **changes):
    return vq.generate("a red apple", models=tiny, **(quick | changes))


def _pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(float)


@pytest.fixture
def photo(tmp_path) -> str:
    """A picture with a red left and a blue right half."""
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[:, :60, 0], pixels[:, 60:, 2] = 220, 220
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def right_half(tmp_path) -> str:
    """A mask: the right half is painted."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, 32:] = 255
    path = tmp_path / "mask.png"
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.mark.parametrize("start", ["codes", "sine", "pixels", "gradients"])
def test_each_start_depends_on_the_seed_and_on_nothing_else(start, tiny):
    first, again, other = (begin(tiny.vqgan, start, seed, 2, 6, 8) for seed in (3, 3, 4))
    assert first.shape == (2, 32, 6, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first[1], other[0])  # an item starts as it would alone with the next seed


def test_the_sine_start_is_the_seeds(tiny):
    z = begin(tiny.vqgan, "sine", 0, 1, 40, 40)
    assert z.abs().max() <= 1
    # E[sin^2 X] of X ~ N(0, s^2) is (1 - exp(-2 s^2)) / 2
    assert z.square().mean().item() == pytest.approx((1 - np.exp(-0.5)) / 2, abs=0.01)


def test_an_init_image_is_what_the_painting_looks_like_at_first(photo, quick, tiny):
    run = vq.Run(
        vq.Settings(init_image=photo, im_shape=(64, 64), seed=0), models=tiny, out=quick["out"]
    )
    picture = _pixels(run.images()[0])
    assert picture[:, :24, 0].mean() > picture[:, :24, 2].mean() + 60
    assert picture[:, 40:, 2].mean() > picture[:, 40:, 0].mean() + 60


def test_another_runs_latents_go_on_from_its_picture(quick, tiny):
    first = _paint(quick, tiny)
    for source in (first.folder, first.folder / "steps" / "000006.safetensors"):
        run = vq.Run(
            vq.Settings(init_image=str(source), im_shape=(64, 64), seed=0),
            models=tiny,
            out=quick["out"],
        )
        assert np.array_equal(np.asarray(run.images()[0]), np.asarray(first.images[0]))


def test_a_picture_in_memory_is_begun_with_as_its_file_would_be(photo, quick, tiny):
    image = Image.open(photo)
    results = [
        _paint(quick, tiny, init_image=given, total_iter=2)
        for given in (photo, image, np.asarray(image), np.asarray(image) / 255)
    ]
    assert all(torch.equal(result.latents, results[0].latents) for result in results)
    with pytest.raises(ValueError, match="is not a picture"):
        _paint(quick, tiny, init_image=np.zeros((4, 4, 7), np.uint8))


def test_what_the_mask_keeps_stays_to_the_pixel(photo, right_half, quick, tiny):
    result = _paint(quick, tiny, init_image=photo, mask=right_half, learning_rate=1.0)
    painted = _pixels(result.images[0])
    original = _pixels(Image.open(photo).resize((96, 64)).crop((16, 0, 80, 64)))
    assert np.abs(painted[:, :28] - original[:, :28]).max() < 8
    assert np.abs(painted[:, 36:] - original[:, 36:]).mean() > 20


def test_a_tiles_edges_fit_each_other(quick, tiny):
    def seam(tile: bool) -> float:
        x = _pixels(_paint(quick, tiny, tile=tile, seed=1, draft_weight=0.0).images[0])
        across = np.abs(x[:, 0] - x[:, -1]).mean() + np.abs(x[0] - x[-1]).mean()
        inside = np.abs(np.diff(x, axis=1)).mean() + np.abs(np.diff(x, axis=0)).mean()
        return across / inside

    assert seam(True) < 0.6 * seam(False)


def test_a_decoder_forgets_that_it_drew_a_tile(tiny):
    z = begin(tiny.vqgan, "codes", 0, 1, 8, 8)
    before = tiny.vqgan.decode(z)
    tiled = tiny.vqgan.decode(z, tile=True)
    assert torch.equal(tiny.vqgan.decode(z), before)
    rolled = tiny.vqgan.decode(z.roll((3, 2), (2, 3)), tile=True)
    torch.testing.assert_close(rolled, tiled.roll((24, 16), (2, 3)), atol=1e-4, rtol=1e-4)


def test_a_cold_softmax_is_the_nearest_code_and_a_hot_one_the_mean(tiny):
    z = begin(tiny.vqgan, "sine", 0, 1, 4, 4)
    cold = quantize(tiny.vqgan, "softmax", z, 1e-5)
    torch.testing.assert_close(cold, tiny.vqgan.quantize(z)[0], atol=1e-3, rtol=1e-3)
    hot = quantize(tiny.vqgan, "softmax", z, 1e6)
    mean = tiny.vqgan.codebook.mean(0).view(1, -1, 1, 1).expand_as(hot)
    torch.testing.assert_close(hot, mean, atol=1e-3, rtol=1e-3)
    assert quantize(tiny.vqgan, "none", z, 1.0) is z


def test_gumbel_draws_codes_as_often_as_their_softmax_says(tiny):
    z = begin(tiny.vqgan, "sine", 0, 1, 1, 1).expand(1, -1, 40, 40)
    noise = gumbel_noise([stream(0, 0, 1)], 40, 40, len(tiny.vqgan.codebook))
    drawn = quantize(tiny.vqgan, "gumbel", z, 0.05, noise)
    nearest = torch.cdist(drawn.permute(0, 2, 3, 1).reshape(-1, 32), tiny.vqgan.codebook)
    assert nearest.amin(1).max() < 1e-2  # codes, and nothing between them
    expected = quantize(tiny.vqgan, "softmax", z[..., :1, :1], 0.05)[0, :, 0, 0]
    spread = drawn[0].flatten(1).std(1) / 40
    assert ((drawn[0].flatten(1).mean(1) - expected).abs() < 6 * spread + 1e-3).all()


def test_coarse_to_fine_paints_the_whole_size_in_the_end(quick, tiny):
    run = run_of(quick, tiny, coarse=0.5)
    sizes = []
    for it in run:
        sizes.append(tuple(run.loop.latent.z.shape[-2:]))
        assert it.images()[0].size == (64, 64)
    assert sizes == [(4, 4)] * 2 + [(8, 8)] * 4


def test_three_sizes_take_a_quarter_a_quarter_and_a_half_of_the_run(quick, tiny):
    run = run_of(quick, tiny, coarse=0.5, coarse_steps=2, total_iter=8, im_shape=(160, 96))
    sizes = []
    for it in run:
        sizes.append(tuple(run.loop.latent.z.shape[-2:]))
        assert it.images()[0].size == (160, 96)
    assert sizes == [(4, 5)] * 1 + [(6, 10)] * 2 + [(12, 20)] * 5


def test_the_average_is_what_is_shown_and_kept(quick, tiny):
    result = _paint(quick, tiny, ema=0.9, learning_rate=1.0)
    with torch.no_grad():
        x = tiny.vqgan.decode(tiny.vqgan.quantize(result.latents)[0])
    pixels = x[0].mul(255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(np.asarray(result.images[0]), pixels)
    moved = _paint(quick, tiny, learning_rate=1.0).latents
    assert not torch.equal(moved, result.latents)


RESUMED = [
    {"quantizer": "gumbel"},
    {"quantizer": "none", "start": "sine", "clamp": False},
    {"ema": 0.8, "coarse": 0.4},
    {"coarse": 0.9, "coarse_steps": 2, "total_iter": 12},
    {"tile": True, "start": "gradients"},
    {"prompt": "a cat ^ a dog", "story_fade": 2},
    {"prompt": "a cat and a dog by the sea", "story_window": 4},
    {"prompt": "a cat:2 | noise#3:-0.5", "exclude": "a dog"},
    {"schedule": "cosine"},
    *({"optimizer": name} for name in ("Adam", "NAdam", "RAdam", "Adamax")),
    *({"optimizer": name} for name in ("RMSprop", "Adagrad", "SGD")),
]


@pytest.mark.parametrize(
    "changes", RESUMED, ids=lambda changes: "-".join(map(str, changes.values()))
)
def test_an_interrupted_run_ends_as_an_undisturbed_one(changes, quick, tiny):
    changes = {"prompt": "a red apple"} | changes
    whole = vq.generate(settings_of(quick, **changes), models=tiny, out=quick["out"])
    run = stopped(run_of(quick, tiny, **changes), 4)
    resumed = finished(vq.Run.resume(run.folder.path, models=tiny))
    assert torch.equal(resumed.result().latents, whole.latents)
    assert np.array_equal(np.asarray(resumed.images()[0]), np.asarray(whole.images[0]))


def test_a_masked_run_resumes_without_its_files(photo, right_half, quick, tiny, tmp_path):
    changes = {"prompt": "a cat", "init_image": photo, "mask": right_half}
    whole = vq.generate(settings_of(quick, **changes), models=tiny, out=quick["out"])
    run = stopped(run_of(quick, tiny, **changes), 4)
    (tmp_path / "photo.png").unlink()
    (tmp_path / "mask.png").unlink()
    resumed = finished(vq.Run.resume(run.folder.path, models=tiny))
    assert np.array_equal(np.asarray(resumed.images()[0]), np.asarray(whole.images[0]))


def test_a_run_that_no_longer_improves_stops_where_it_is_asked_to(quick, tiny):
    still = quick | {"total_iter": 60, "learning_rate": 0.0001, "noise_factor": 0.0}
    result = vq.generate("a cat", models=tiny, auto_stop=4, **still)
    assert len(result.history) < 60
    assert (result.folder / "steps" / f"{len(result.history):06d}.png").exists()


def test_a_story_moves_on_to_its_next_phrase(quick, tiny):
    fields = quick | {"total_iter": 40, "cutn": 8}
    fields.pop("out")
    settings_ = vq.Settings(prompt="a red heart ^ a green frog", **fields)
    run = vq.Run(settings_, models=tiny, out=quick["out"])
    frog = tiny.perceptors[0].encode_text("a green frog")
    nearness = []
    for it in run:
        if it.i in (20, 40):
            x = torch.from_numpy(_pixels(it.images()[0]) / 255).float().permute(2, 0, 1)[None]
            nearness.append(
                torch.cosine_similarity(tiny.perceptors[0].encode_image(x), frog).item()
            )
    assert nearness[1] > nearness[0] + 0.1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"init_image": "nowhere.png"}, "nowhere.png cannot be read as a picture"),
        ({"init_image": "x.safetensors"}, "there is no such file"),
        ({"prompt": "a cat | nowhere.png"}, "nowhere.png cannot be read as a picture"),
        ({"init_image": __file__}, "is not a picture that can be read"),
    ],
)
def test_a_picture_that_is_not_there_is_told_before_painting(changes, sentence, quick, tiny):
    fields = quick | {"prompt": "a cat"} | changes
    with pytest.raises(ValueError, match=sentence):
        vq.generate(models=tiny, **fields)
    assert not list(quick["out"].glob("*"))


FIXED = {"total_iter", "cutn", "seed", "batch_size", "im_shape", "clip", "models", "device"}
FIXED |= {"prompt", "extras", "exclude", "augment", "init_image", "mask"}
PROMPTS = ["a cat", "a cat:-1", "a ^ b", "noise#3:0.5 | a dog:2:-1", "16:9"]
RANDOM = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(PROMPTS),
        "extras": st.sampled_from(["", "neon", "neon:-2 | sepia"]),
        "exclude": st.sampled_from(["", "a dog", "a dog:0.1 | red"]),
        "augment": st.sampled_from(
            ["", "none", "flip:1", "affine:15 erase:0.3 jitter:0.2", "only Ts Sh"]
        ),
        "batch_size": st.integers(1, 2),
        "im_shape": st.sampled_from([(32, 32), (64, 40), (41, 67)]),
    },
    optional={name: allowed_values(name) for name in specs() if name not in FIXED},
)


def _painted(tiny, out, values) -> tuple[vq.Result | None, str]:
    """Two iterations with these settings, or the sentence that refuses them."""
    try:
        return vq.generate(models=tiny, out=out, total_iter=2, cutn=2, seed=1, **values), ""
    except (ValueError, FloatingPointError) as refused:
        return None, str(refused)


def _is_whole(result: vq.Result | None, refusal: str) -> bool:
    if result is None:
        return refusal.endswith(".") and "\n" not in refusal
    return torch.isfinite(result.latents).all().item() and len(result.history) == 2


@pytest.mark.filterwarnings("ignore:im_shape", "ignore:clip reads", "ignore:clip never saw")
@given(values=RANDOM)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
def test_any_settings_paint_or_are_refused_with_a_sentence(values, tiny, tmp_path):
    assert _is_whole(*_painted(tiny, tmp_path, values))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:im_shape", "ignore:clip reads", "ignore:clip never saw")
@given(values=RANDOM)
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
def test_two_hundred_settings_paint_or_are_refused_with_a_sentence(values, tiny, tmp_path):
    assert _is_whole(*_painted(tiny, tmp_path, values))
