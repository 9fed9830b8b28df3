"""What an iteration will take is told before it starts."""

import pytest
import torch
from quick_runs import settings_of

import vqclip_nb as vq
from vqclip_nb.accel import memory_estimate
from vqclip_nb.accel.memory_saving import LEVELS


def _settings(quick, **changes) -> vq.Settings:
    return settings_of(quick, **changes)


def _kept(tiny, settings: vq.Settings) -> int:
    """Bytes that wait for the backward pass of a real iteration."""
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    vqgan, perceptor = tiny.vqgan, tiny.perceptors[0]
    width, height = (side // vqgan.factor for side in settings.im_shape)
    z = torch.randn(1, vqgan.codebook.shape[1], height, width).requires_grad_()
    side = perceptor.input_size
    crops = torch.rand(settings.cutn, 3, side, side).requires_grad_()
    weights = [*vqgan.network.parameters(), *perceptor.model.parameters()]
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        x, emb = vqgan.decode(z), perceptor.encode_image(crops)
    for weight in weights:
        kept.pop(weight.untyped_storage().data_ptr(), None)
    assert x.requires_grad
    assert emb.requires_grad
    return sum(kept.values())


@pytest.mark.parametrize("changes", [{"im_shape": (256, 256)}, {"cutn": 64}], ids=str)
def test_a_forecast_is_what_the_networks_keep_and_a_little_more(changes, quick, tiny):
    settings = _settings(quick, **changes)
    kept = _kept(tiny, settings)
    assert kept < memory_estimate.needed(tiny, settings) < 2.2 * kept


def test_each_way_to_spare_takes_less(quick, tiny):
    settings = _settings(quick, cutn=32, im_shape=(128, 128))
    takes = [memory_estimate.needed(tiny, settings, level) for level in range(len(LEVELS) - 1)]
    assert takes == sorted(takes, reverse=True)
    assert takes[-1] < takes[0] / 2


@pytest.mark.parametrize("changes", [{}, {"im_shape": (256, 128)}, {"cutn": 40}], ids=str)
def test_what_is_upper_bound_is(changes, quick, tiny):
    settings = _settings(quick, **changes)
    assert memory_estimate.upper_bound(tiny, settings) > memory_estimate.needed(tiny, settings)


def test_where_it_would_not_fit_a_run_begins_in_less_memory_and_says_so(quick, tiny, monkeypatch):
    settings = _settings(quick, cutn=32)
    room = (
        memory_estimate.needed(tiny, settings, 0) + memory_estimate.needed(tiny, settings, 1)
    ) // 2
    monkeypatch.setattr(memory_estimate, "free", lambda device: room)
    run = vq.Run(settings, models=tiny, out=quick["out"])
    with pytest.warns(UserWarning, match="64 × 64 pixels with 32 crops need about .* in four"):
        next(iter(run))
    assert LEVELS[run.executor.memory.level] == "crops in four pieces"


@pytest.mark.parametrize("room", [10**15, None])
def test_where_it_fits_or_nobody_knows_nothing_is_said(room, quick, tiny, monkeypatch, recwarn):
    monkeypatch.setattr(memory_estimate, "free", lambda device: room)
    run = vq.Run(_settings(quick), models=tiny, out=quick["out"])
    next(iter(run))
    assert run.executor.memory.level == 0
    assert not [each for each in recwarn if "need about" in str(each.message)]


def test_the_free_memory_of_this_machine_is_some():
    room = memory_estimate.free(torch.device("cpu"))
    assert room is None or 2**20 < room < 2**50
