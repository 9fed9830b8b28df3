"""An iteration recorded as CUDA graphs, which the GPU replays by itself.

An iteration launches about a thousand small kernels, which takes Python longer than a large GPU
needs to run them. A recording launches them with a single call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from vqclip_nb.accel.tensor_trees import form, leaves, mapped
from vqclip_nb.core.loop import Inputs, Loop, StepOutput
from vqclip_nb.models.loading import release_memory
from vqclip_nb.settings import Settings, specs

_T = TypeVar("_T")


class Recording:
    """Two graphs, of `Loop.pixels` and of `Loop.step`, replayed in turn.

    They are two because each picture is both shown after one iteration and judged by the next: the
    first graph decodes it once for both. A graph reads and writes the addresses that it was
    recorded with: inputs are copied into buffers, and a recording fits as long as their form does.

    z: the latent that it moves
    """

    def __init__(self, loop: Loop, inputs: Inputs) -> None:
        self._loop, device = loop, loop.models.device
        self.z, self._settings, self._fixed = loop.latent.z, loop.settings, _fixed(loop.settings)
        self._form, self._given = form(inputs), list(leaves(inputs))
        self._buffers = mapped(inputs, lambda tensor: tensor.to(device, copy=True))
        loop.forget()
        release_memory()  # collecting an old graph during the capture would invalidate it
        with torch.cuda.device(device):  # a capture is of the current one
            pool = torch.cuda.graph_pool_handle()  # shared: the two always run in turn
            self._pixels_graph, self._pixels = _recorded(loop.pixels, pool)
            self._decoded = loop.decoded()
            self._step_graph, self._recorded = _recorded(lambda: loop.step(self._buffers), pool)
        # outside the pool: replaying `_pixels_graph` may overwrite what `_step_graph` allocated
        self._output = mapped(self._recorded, torch.empty_like)
        self.pixels()

    def fits(self, inputs: Inputs) -> bool:
        """Whether a replay computes what these inputs and the current settings ask for."""
        loop = self._loop
        if loop.settings is not self._settings:
            self._settings = loop.settings
            if self._fixed != _fixed(loop.settings):
                return False
        return loop.latent.z is self.z and form(inputs) == self._form

    def step(self, inputs: Inputs) -> StepOutput:
        """As `Loop.step`; the next call overwrites the tensors it returns."""
        given = list(leaves(inputs))
        for new, old, buffer in zip(given, self._given, leaves(self._buffers), strict=True):
            if new is not old:
                buffer.copy_(new, non_blocking=True)
        self._given = given
        self._step_graph.replay()
        self._loop.forget()
        for kept, recorded in zip(leaves(self._output), leaves(self._recorded), strict=True):
            kept.copy_(recorded)
        return self._output

    def pixels(self) -> Tensor:
        """As `Loop.pixels`; the next call overwrites the tensor it returns."""
        self._pixels_graph.replay()
        self._loop.forget(self._decoded)
        return self._pixels


def can_record(loop: Loop) -> bool:
    """Whether there is a GPU that records, and an optimizer that can be recorded."""
    options = loop.latent.optimizer.defaults
    return loop.models.device.type == "cuda" and bool(options.get("capturable"))


def _recorded(compute: Callable[[], _T], pool: tuple[int, int]) -> tuple[torch.cuda.CUDAGraph, _T]:
    """A graph of what `compute` launches, and its result, which a replay fills in.

    pool: memory to allocate from; graphs that never run at the same time may share it
    """
    graph = torch.cuda.CUDAGraph()
    # restores the current stream: torch leaves its own current if ending the capture fails
    with torch.cuda.stream(torch.cuda.current_stream()):
        try:
            with torch.cuda.graph(graph, pool=pool):
                result = compute()
        except BaseException:
            _stop_allocating(pool)
            raise
    return graph, result


def _stop_allocating(pool: tuple[int, int]) -> None:
    """Tell the allocator that a failed capture is over.

    Before torch 2.12 an invalidated capture leaves it allocating from the pool, and the next
    attempt to free memory aborts the process (pytorch/pytorch#180395).
    """
    device = torch.cuda.current_device()
    with contextlib.suppress(RuntimeError):  # newer versions have stopped already
        torch._C._cuda_endAllocateToPool(device, pool)
        torch._C._cuda_releasePool(device, pool)


def _fixed(settings: Settings) -> Settings:
    """The settings without those that a recording survives; it needs all others unchanged."""
    safe = {name: spec.default for name, spec in specs().items() if spec.graph_safe}
    return settings.replace(**safe, updates=())
