"""How much memory an iteration will take, told before it is painted.

An iteration is computed on torch's meta device, where tensors have shapes and no numbers, and a
count is kept of what lives at the same time. That takes no memory, and a second or a few.
"""

from __future__ import annotations

import copy
import itertools
import weakref
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from vqclip_nb.accel.memory_saving import LEVELS
from vqclip_nb.accel.tensor_trees import leaves, mapped
from vqclip_nb.core.canvas import Canvas
from vqclip_nb.core.step import Inputs, Step
from vqclip_nb.core.targets import Story, Target
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import Models
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.prompt_syntax import parse_prompts, parse_story
from vqclip_nb.settings import Settings

_META = torch.device("meta")
_ASIDE = 1.15  # what an allocator and the kernels' workspaces take on top, as a share
# bytes a pixel of the picture and of the crops, more than any published pair takes
_PICTURE, _CROPS = 40_000, 20_000


def surely_enough(models: Models, settings: Settings) -> int:
    """Bytes that are enough, without a closer look."""
    width, height = settings.im_shape
    crops = settings.cutn * sum(perceptor.input_size**2 for perceptor in models.perceptors)
    return settings.batch_size * (_PICTURE * width * height + _CROPS * crops)


def needed(models: Models, settings: Settings, level: int = 0) -> int:
    """Bytes that painting takes at most beside the models, about.

    level: of `thrift.LEVELS`; the last one, whose numbers are shorter, is counted as the one before
    """
    with Counted() as counted:
        step = shadow(models, settings, level)
        inputs = inputs_of(step)
        counted.peak = counted.now = 0
        step.see()
        step.judge(inputs)
    return int(_ASIDE * counted.peak)


def free(device: torch.device) -> int | None:
    """Bytes that can be had on a device; None where nobody tells."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    told = Path("/proc/meminfo")  # Linux
    if device.type != "cpu" or not told.exists():
        return None
    (line,) = (line for line in told.read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def shadow(
    models: Models, settings: Settings, level: int = 0, device: torch.device = _META
) -> Step:
    """An iteration of the settings with models that have shapes alone.

    device: meta, or a fake one inside `FakeTensorMode`
    """
    perceptors = [_without_numbers(perceptor, device) for perceptor in models.perceptors]
    vqgan = _without_numbers(models.vqgan, device)
    models = replace(models, vqgan=vqgan, perceptors=perceptors, device=device, draft=None)
    canvas = Canvas(models, settings.replace(init_image="", mask="", seed=0), _no_picture)
    canvas.thrift.level = min(level, len(LEVELS) - 2)
    return Step(models, canvas)


def inputs_of(step: Step) -> Inputs:
    """Inputs of an iteration of such models."""
    settings, device = step.canvas.settings, step.models.device
    phrases = [len(phrase) for phrase in parse_story(settings.prompt)]
    of = [number for number, goals in enumerate(phrases) for _ in range(goals)]
    of += [None] * len(parse_prompts(settings.exclude))
    one, none = torch.ones(len(of)), torch.zeros(len(of))
    targets = [
        Target(torch.zeros(len(of), p.embed_dim, device=device), one, none, tuple(of))
        for p in step.models.perceptors
    ]
    inputs = step.inputs(1, targets, Story.of(settings))
    return mapped(inputs, lambda tensor: tensor.to(device))


class Counted(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is entered.

    now: of those alive; peak: at most
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        """Do it, and count what comes out."""
        result = operation(*arguments, **(options or {}))
        for tensor in leaves(result):
            self._count(tensor)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if tensor.device != _META or storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, size)

    def _drop(self, size: int) -> None:
        self.now -= size


def _without_numbers(whole: VQGAN | Perceptor, device: torch.device) -> VQGAN | Perceptor:
    """A copy whose weights have shapes alone."""
    known: dict[int, Tensor] = {}
    module = whole.network if isinstance(whole, VQGAN) else whole.model
    own = [*_tensors_of(whole), *itertools.chain(*map(_tensors_of, module.modules()))]
    for tensor in (*module.parameters(), *module.buffers(), *own):
        bare = torch.empty_like(tensor, device=device)
        if isinstance(tensor, nn.Parameter):
            bare = nn.Parameter(bare, requires_grad=False)
        known[id(tensor)] = bare
    return copy.deepcopy(whole, known)


def _tensors_of(whole: VQGAN | Perceptor | nn.Module) -> list[Tensor]:
    """Tensors that are plain attributes, such as CLIP's attention mask."""
    return [value for value in vars(whole).values() if isinstance(value, Tensor)]


def _no_picture(source: str) -> Tensor:
    raise ValueError(f"{source} is not looked at for a forecast.")
