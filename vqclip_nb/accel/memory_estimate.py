"""How much memory an iteration needs, estimated before it runs.

`Loop.step` runs on torch's meta device, whose tensors have shapes but no data, while the bytes that
are alive at the same time are counted. That takes no memory and a second or a few.
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

from vqclip_nb.accel.memory_saving import LEVELS, MemorySaving
from vqclip_nb.accel.tensor_trees import leaves, mapped
from vqclip_nb.core.loop import Inputs, Loop
from vqclip_nb.core.targets import Story, Target
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import Models
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.prompt_syntax import parse_prompts
from vqclip_nb.settings import Settings

_META = torch.device("meta")
_OVERHEAD = 1.15  # of the allocator and the kernels' workspaces
# bytes per pixel of the picture and of the crops: more than any published pair needs
_PICTURE, _CROPS = 40_000, 20_000


def upper_bound(models: Models, settings: Settings) -> int:
    """Bytes that are certainly enough, from the sizes alone."""
    width, height = settings.im_shape
    crops = settings.cutn * sum(perceptor.input_size**2 for perceptor in models.perceptors)
    return settings.batch_size * (_PICTURE * width * height + _CROPS * crops)


def needed(models: Models, settings: Settings, level: int = 0) -> int:
    """About how many bytes painting needs at its peak, beside the models.

    level: index of `LEVELS`; the last one (bfloat16) is counted like the one before
    """
    with Counted() as counted:
        loop = shapes_only(models, settings, level)
        inputs = inputs_of(loop)
        counted.peak = counted.now = 0
        loop.pixels()
        loop.step(inputs)
    return int(_OVERHEAD * counted.peak)


def free(device: torch.device) -> int | None:
    """Bytes that are free on a device; None if that is unknown."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    report = Path("/proc/meminfo")  # Linux
    if device.type != "cpu" or not report.exists():
        return None
    (line,) = (line for line in report.read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def shapes_only(
    models: Models, settings: Settings, level: int = 0, device: torch.device = _META
) -> Loop:
    """A loop with these settings whose models have shapes but no data.

    device: meta, or a fake one inside `FakeTensorMode`
    """
    perceptors = [_without_data(perceptor, device) for perceptor in models.perceptors]
    vqgan = _without_data(models.vqgan, device)
    models = replace(models, vqgan=vqgan, perceptors=perceptors, device=device, draft=None)
    memory = MemorySaving(device, vqgan.dtype)
    memory.level = min(level, len(LEVELS) - 2)
    return Loop(models, settings.replace(init_image="", mask="", seed=0), compute=memory)


def inputs_of(loop: Loop) -> Inputs:
    """Inputs of an iteration of such a loop."""
    settings, device = loop.settings, loop.models.device
    phrases = [len(phrase) for phrase in settings.story]
    of = [number for number, goals in enumerate(phrases) for _ in range(goals)]
    of += [None] * len(parse_prompts(settings.exclude))
    one, none = torch.ones(len(of)), torch.zeros(len(of))
    targets = [
        Target(torch.zeros(len(of), p.embed_dim, device=device), one, none, tuple(of))
        for p in loop.models.perceptors
    ]
    inputs = loop.inputs(1, targets, Story.of(settings))
    return mapped(inputs, lambda tensor: tensor.to(device))


class Counted(TorchDispatchMode):
    """Counts the bytes of the meta tensors that are created while it is active.

    now: of those that are alive; peak: the maximum so far
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        """Run the operation and count its results."""
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


def _without_data(whole: VQGAN | Perceptor, device: torch.device) -> VQGAN | Perceptor:
    """A copy whose weights have shapes but no data."""
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
