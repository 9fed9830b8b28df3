"""An iteration as a GPU may record it, rehearsed where there is no GPU.

Two stand-ins: on torch's meta device there are no numbers to tell, so whoever asks for one fails, as
in a recording; and torch's fake tensors, made for tracing, compute shapes and devices as CUDA would
have them. Autograd does not start for a GPU that is not there: gradients are rehearsed on meta.
"""

import pytest
import torch
from quick_runs import run_of, settings_of
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import vqclip_nb as vq
from vqclip_nb.accel import memory_estimate
from vqclip_nb.accel.cuda_graphs import can_record
from vqclip_nb.accel.memory_saving import LEVELS
from vqclip_nb.accel.tensor_trees import form, leaves, mapped
from vqclip_nb.core.loop import Inputs, Loop
from vqclip_nb.core.losses import Weights
from vqclip_nb.core.mask import Mask
from vqclip_nb.core.notebook_cutouts import METHODS

META, CUDA = torch.device("meta"), torch.device("cuda:0")
WAYS = [{"cut_method": method} for method in ("studio", *METHODS)]
WAYS += [{"quantizer": name} for name in ("softmax", "gumbel", "none")]
WAYS += [{"ema": 0.9}, {"tile": True}, {"batch_size": 2}, {"precision": "fp16"}]
WAYS += [{"precision": "bf16"}]
WAYS += [{"augment": "perspective:0.5 jitter:0.1 erase:0.3 flip:1 affine:15 sharpen:0.3"}]
WAYS += [{"cut_method": "latest", "augment": "only Ji Sh Gn Pe Ro Af Et Ts Er Re"}]
WAYS += [{"prompt": "a cat:2 | a dog:1:0.5 ^ a moon", "exclude": "red", "extras": "night"}]
WAYS += [
    {"vq_weight": 0.1, "gan_weight": 0.1, "tv_weight": 1.0, "init_weight": 0.1, "zero_weight": 1.0}
]


WAYS += [{"optimizer": name} for name in ("Adam", "NAdam", "RAdam", "Adamax", "RMSprop")]
FROM_HOST = (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy)


class NothingFromElsewhere(TorchDispatchMode):
    """What is computed on the device is computed of what is there."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        devices = {tensor.device for tensor in leaves((arguments, options, result))}
        assert len(devices) < 2, operation
        return result


class NothingFromPython(TorchFunctionMode):
    """Nor is any tensor made of Python's numbers, which would be brought there."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        assert function not in FROM_HOST, function
        return function(*arguments, **(options or {}))


def _settings(quick: dict, changes: dict) -> vq.Settings:
    return settings_of(quick, **changes)


def _models(tiny: vq.Models, changes: dict) -> vq.Models:
    if "precision" not in changes:
        return tiny
    return vq.load_models("tiny", device="cpu", precision=changes["precision"])


def _assert_it_can_be_recorded(loop: Loop, inputs: Inputs) -> None:
    """Two iterations, the second of which may do what a recording may."""
    loop.step(inputs)  # the optimizer makes its memory in the first one
    loop.pixels()
    with NothingFromElsewhere(), NothingFromPython():
        output, pixels = loop.step(inputs), loop.pixels()
    assert {tensor.device for tensor in leaves((output, pixels))} == {loop.models.device}
    assert output.stacked().shape == (len(output.parts) + 2,)
    assert pixels.shape[-1] == 3


@pytest.mark.parametrize("device", [META, CUDA], ids=str)
def test_the_rehearsal_notices_what_a_recording_forbids(device):
    forbidden = [
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x + torch.rand(3).to(device),
        lambda x: x + torch.rand(3),
        lambda x: x.to("cpu"),
        lambda x: x * torch.tensor([1.0, 2.0, 3.0], device=device),
        lambda x: x * torch.tensor(2.0),
        lambda x: x if x.sum() > 0 else -x,
    ]

    def attempt(compute) -> None:
        with FakeTensorMode():
            x = torch.rand(3, device=device)
            with NothingFromElsewhere(), NothingFromPython():
                compute(x)

    for each in forbidden:
        with pytest.raises((RuntimeError, AssertionError)):
            attempt(each)


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_an_iteration_asks_the_device_for_no_number_and_copies_nothing_to_it(changes, quick, tiny):
    loop = memory_estimate.shapes_only(_models(tiny, changes), _settings(quick, changes))
    _assert_it_can_be_recorded(loop, memory_estimate.inputs_of(loop))


@pytest.fixture
def pretended(monkeypatch):
    """CUDA as far as it can be had without a GPU: it computes in bfloat16, and has no gradients."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.autograd, "grad", lambda loss, z: (torch.zeros_like(z),))


@pytest.mark.parametrize(
    ("changes", "level"),
    [*((way, 0) for way in WAYS), *(({}, level) for level in range(1, len(LEVELS)))],
    ids=str,
)
def test_an_iteration_stays_on_the_gpu(changes, level, quick, tiny, pretended):
    models, settings = _models(tiny, changes), _settings(quick, changes)
    shapes = memory_estimate.inputs_of(memory_estimate.shapes_only(models, settings))
    with FakeTensorMode(allow_non_fake_inputs=True):
        loop = memory_estimate.shapes_only(models, settings, device=CUDA)
        loop.compute.level = level
        assert can_record(loop)
        _assert_it_can_be_recorded(
            loop, mapped(shapes, lambda tensor: torch.empty_like(tensor, device=CUDA))
        )


def test_an_iteration_with_a_mask_stays_on_the_gpu(quick, tiny, pretended):
    settings = _settings(quick, {})
    shapes = memory_estimate.inputs_of(memory_estimate.shapes_only(tiny, settings))
    with FakeTensorMode(allow_non_fake_inputs=True):
        loop = memory_estimate.shapes_only(tiny, settings, device=CUDA)
        paint, kept = (torch.ones(1, n, 64, 64, device=CUDA) for n in (1, 3))
        loop.mask = Mask(paint, kept)
        _assert_it_can_be_recorded(
            loop, mapped(shapes, lambda tensor: torch.empty_like(tensor, device=CUDA))
        )


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_the_inputs_of_all_iterations_have_one_form(changes, quick, tiny):
    """So that one recording plays them all."""
    run = run_of(quick, tiny, **changes)
    forms = [form(run.loop.inputs(i, run.targets, run.story)) for i in (1, 2, 3, 9)]
    assert all(each == forms[0] for each in forms)


def test_live_numbers_leave_the_form_as_it_is_and_new_prompts_change_it(quick, tiny):
    run = run_of(quick, tiny, tv_weight=1.0)

    def now() -> object:
        return form(run.loop.inputs(run.i + 1, run.targets, run.story))

    first = now()
    run.update(prompt="a green apple", w1=0.5, tv_weight=2.0, noise_factor=0.3, learning_rate=0.05)
    assert now() == first
    run.update(prompt="a green apple | a tree")
    assert now() != first


def test_weights_come_as_tensors_of_their_own(quick, tiny):
    run = run_of(quick, tiny, vq_weight=0.5)
    weights = Weights.at(1, run.settings, run.targets[0], {0: 1.0}, [True])
    assert set(weights.terms) == {"vq", "draft"}
    assert all(tensor.ndim <= 1 for tensor in leaves(weights))


def test_a_processor_records_nothing(quick, tiny):
    run = run_of(quick, tiny)
    assert not can_record(run.loop)


def test_a_tree_is_mapped_leaf_by_leaf():
    tree = {"a": (torch.ones(2), [torch.zeros(1), "word"]), "b": None}
    doubled = mapped(tree, lambda tensor: tensor * 2)
    assert [t.tolist() for t in leaves(doubled)] == [[2, 2], [0]]
    assert doubled["a"][1][1] == "word"
    assert form(tree) == form(doubled)
    assert form(tree) != form({"a": (torch.ones(3), [torch.zeros(1), "word"]), "b": None})
