"""An iteration as a recording that a GPU plays by itself (CUDA graphs).

An iteration is some thousand small computations, and Python needs longer to ask for them than a
large GPU for doing them. Recorded once, they are asked for with a single call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor

from vqclip_nb.accel.tensor_trees import form, leaves, mapped
from vqclip_nb.core.step import Inputs, Step
from vqclip_nb.models.loading import release_memory
from vqclip_nb.settings import Settings

# fields whose values reach an iteration as tensors, or not at all: a recording bears their change
_PLAYED = ("prompt", "extras", "exclude", "w1", "w2", "exclude_weight", "noise_factor")
_PLAYED += ("learning_rate", "schedule", "total_iter", "story_fade", "auto_stop")
_PLAYED += ("vq_weight", "gan_weight", "tv_weight", "init_weight", "draft_weight")


class Recording:
    """Two graphs, what `Step.see` does and what `Step.judge` does, played in turn.

    They are two because each picture is both shown after one iteration and judged by the next: the
    first graph decodes it once for both. The recording writes where it wrote when it was made, so
    its inputs are copied into buffers, and it is good as long as they have their form.

    z: the latent that it moves
    """

    def __init__(self, step: Step, inputs: Inputs) -> None:
        self._step, canvas, device = step, step.canvas, step.models.device
        self.z, self._settings, self._baked = canvas.z, canvas.settings, _baked(canvas.settings)
        self._form, self._given = form(inputs), list(leaves(inputs))
        self._buffers = mapped(inputs, lambda tensor: tensor.to(device, copy=True))
        canvas.forget()
        release_memory()  # collecting an old graph during the capture would invalidate it
        pool = torch.cuda.graph_pool_handle()  # shared: the two always run in turn
        self._seeing, self._pixels = _recorded(step.see, pool)
        self._decoded = canvas.decoded()
        self._judging, self._parts = _recorded(lambda: step.judge(self._buffers), pool)
        # outside the pool: replaying `_seeing` may overwrite what `_judging` allocated in it
        self._told = torch.empty_like(self._parts)
        self.see()

    def fits(self, inputs: Inputs) -> bool:
        """Whether it computes what these inputs, and the settings of now, ask for."""
        canvas = self._step.canvas
        if canvas.settings is not self._settings:
            self._settings = canvas.settings
            if self._baked != _baked(canvas.settings):
                return False
        return canvas.z is self.z and form(inputs) == self._form

    def judge(self, inputs: Inputs) -> Tensor:
        """As `Step.judge`; what it gives is overwritten by the next call."""
        given = list(leaves(inputs))
        for new, old, buffer in zip(given, self._given, leaves(self._buffers), strict=True):
            if new is not old:
                buffer.copy_(new, non_blocking=True)
        self._given = given
        self._judging.replay()
        self._step.canvas.forget()
        return self._told.copy_(self._parts)

    def see(self) -> Tensor:
        """As `Step.see`; what it gives is overwritten by the next call."""
        self._seeing.replay()
        self._step.canvas.forget(self._decoded)
        return self._pixels


def can_record(step: Step) -> bool:
    """Whether there is a GPU that records, and an optimizer that can be recorded."""
    options = step.canvas.optimizer.defaults
    return step.models.device.type == "cuda" and bool(options.get("capturable"))


def _recorded(
    compute: Callable[[], Tensor], pool: tuple[int, int]
) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    """What `compute` asks the GPU for, not yet done, and where its result will be.

    pool: memory to allocate from; may be shared by graphs that never run at the same time
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

    Before torch 2.12 an invalidated capture leaves it allocating in the pool, and the next attempt
    to free memory aborts the process (pytorch/pytorch#180395).
    """
    device = torch.cuda.current_device()
    with contextlib.suppress(RuntimeError):  # newer versions have stopped already
        torch._C._cuda_endAllocateToPool(device, pool)
        torch._C._cuda_releasePool(device, pool)


def _baked(settings: Settings) -> Settings:
    """What reaches an iteration as it is, and so must be equal for a recording to be played."""
    plain = Settings()
    others = {name: getattr(plain, name) for name in _PLAYED}
    return settings.replace(**others, updates=())
