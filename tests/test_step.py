"""An iteration as a GPU may record it, rehearsed where there is no GPU.

torch's meta device has no numbers to tell: whoever asks for one fails there, as in a recording.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import vqclip_nb as vq
from vqclip_nb import forecast
from vqclip_nb.graphs import can_record
from vqclip_nb.losses import Weights
from vqclip_nb.peer_cutouts import METHODS
from vqclip_nb.tensors import form, leaves, mapped

META = torch.device("meta")
WAYS = [{"cut_method": method} for method in ("studio", *METHODS)]
WAYS += [{"quantizer": name} for name in ("softmax", "gumbel", "none")]
WAYS += [{"ema": 0.9}, {"tile": True}, {"batch_size": 2}, {"precision": "fp16"}]
WAYS += [{"augment": "perspective:0.5 jitter:0.1 erase:0.3 flip:1 affine:15 sharpen:0.3"}]
WAYS += [{"prompt": "a cat:2 | a dog:1:0.5 ^ a moon", "exclude": "red", "extras": "night"}]
WAYS += [
    {"vq_weight": 0.1, "gan_weight": 0.1, "tv_weight": 1.0, "init_weight": 0.1, "zero_weight": 1.0}
]


class NothingFromElsewhere(TorchDispatchMode):
    """What is computed on the device is computed of what is there."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        devices = {tensor.device for tensor in leaves((arguments, options, result))}
        assert len(devices) < 2, operation
        # what `torch.tensor` does last, when it has brought a list of numbers there
        assert operation is not torch.ops.aten.lift_fresh.default or META not in devices
        return result


def test_the_rehearsal_notices_what_a_recording_forbids():
    x = torch.rand(3, device=META)
    forbidden = [
        lambda: x.sum().item(),
        lambda: x[x > 0],
        lambda: x + torch.rand(3).to(META),
        lambda: x * torch.tensor([1.0, 2.0, 3.0], device=META),
        lambda: x * torch.tensor(2.0),
    ]
    for each in forbidden:
        with pytest.raises((RuntimeError, AssertionError)), NothingFromElsewhere():
            each()


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_an_iteration_asks_the_device_for_no_number_and_copies_nothing_to_it(changes, quick, tiny):
    fields = {k: v for k, v in quick.items() if k != "out"} | changes
    models = tiny
    if "precision" in changes:
        models = vq.load_models("tiny", device="cpu", precision=changes["precision"])
    step = forecast.shadow(models, vq.Settings(**fields))
    inputs = forecast.inputs_of(step)
    step.judge(inputs)  # the optimizer makes its memory in the first iteration
    step.see()
    with NothingFromElsewhere():
        told, pixels = step.judge(inputs), step.see()
    assert {told.device, pixels.device} == {META}
    assert told.shape == (len(step.names) + 2,)


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_the_inputs_of_all_iterations_have_one_form(changes, quick, tiny):
    """So that one recording plays them all."""
    fields = quick | changes
    run = vq.Run(
        vq.Settings(**{k: v for k, v in fields.items() if k != "out"}),
        models=tiny,
        out=quick["out"],
    )
    forms = [form(run.painter.step.inputs(i, run.targets, run.story)) for i in (1, 2, 3, 9)]
    assert all(each == forms[0] for each in forms)


def test_live_numbers_leave_the_form_as_it_is_and_new_prompts_change_it(quick, tiny):
    fields = {k: v for k, v in quick.items() if k != "out"}
    run = vq.Run(vq.Settings(**fields, tv_weight=1.0), models=tiny, out=quick["out"])

    def now() -> object:
        return form(run.painter.step.inputs(run.i + 1, run.targets, run.story))

    first = now()
    run.update(prompt="a green apple", w1=0.5, tv_weight=2.0, noise_factor=0.3, learning_rate=0.05)
    assert now() == first
    run.update(prompt="a green apple | a tree")
    assert now() != first


def test_weights_come_as_tensors_of_their_own(quick, tiny):
    fields = {k: v for k, v in quick.items() if k != "out"}
    run = vq.Run(vq.Settings(**fields, vq_weight=0.5), models=tiny, out=quick["out"])
    weights = Weights.at(1, run.settings, run.targets[0], {0: 1.0}, [True])
    assert set(weights.terms) == {"vq", "draft"}
    assert all(tensor.ndim <= 1 for tensor in leaves(weights))


def test_a_processor_records_nothing(quick, tiny):
    run = vq.Run(
        vq.Settings(**{k: v for k, v in quick.items() if k != "out"}), models=tiny, out=quick["out"]
    )
    assert not can_record(run.painter.step)


def test_a_tree_is_mapped_leaf_by_leaf():
    tree = {"a": (torch.ones(2), [torch.zeros(1), "word"]), "b": None}
    doubled = mapped(tree, lambda tensor: tensor * 2)
    assert [t.tolist() for t in leaves(doubled)] == [[2, 2], [0]]
    assert doubled["a"][1][1] == "word"
    assert form(tree) == form(doubled)
    assert form(tree) != form({"a": (torch.ones(3), [torch.zeros(1), "word"]), "b": None})
