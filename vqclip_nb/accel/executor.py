"""Runs the loop's iterations: retries with less memory, and replays CUDA graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel import memory_estimate
from vqclip_nb.accel.cuda_graphs import Recording, can_record
from vqclip_nb.accel.memory_saving import LEVELS, MemorySaving, is_out_of_memory
from vqclip_nb.accel.tensor_trees import mapped
from vqclip_nb.core.loop import Inputs, Loop, StepOutput
from vqclip_nb.models.loading import release_memory

_WARM_UP = 3  # eager iterations before one is recorded, so that the first pictures do not wait
_T = TypeVar("_T")


class Executor:
    """Runs one loop, whose networks it calls through `MemorySaving`."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        if not isinstance(loop.compute, MemorySaving):
            loop.compute = MemorySaving(loop.models.device, loop.models.vqgan.dtype)
        self.memory: MemorySaving = loop.compute
        self._recording: Recording | None = None
        self._warm, self._records = 0, True

    def reserve(self) -> None:
        """Start with less memory, with a warning, if an iteration would not fit into what is free."""
        loop, device = self.loop, self.loop.models.device
        free = memory_estimate.free(device)
        if free is None or memory_estimate.upper_bound(loop.models, loop.settings) <= free:
            return

        def needed() -> int:
            return memory_estimate.needed(loop.models, loop.settings, self.memory.level)

        first = estimate = needed()
        while estimate > free and self.memory.save_more():
            estimate = needed()
        if first > free:
            warnings.warn(
                f"{self._size()} with {loop.settings.cutn} crops need about "
                f"{first / 2**30:.1f} GiB, and {device} has {free / 2**30:.1f} GiB free: "
                f"painting more slowly, {LEVELS[self.memory.level]}.",
                stacklevel=3,
            )

    def iterate(self, iteration: int, inputs: Inputs) -> tuple[StepOutput, Tensor]:
        """One iteration, counted from 1: what `Loop.step` measured, and the pixels after it.

        A GPU may still be at work when this returns. Raises MemoryError if nothing helps.
        """
        self.loop.set_rate(iteration)
        output = self._within_memory(lambda: self._step(inputs))
        self.loop.grow_if_due(iteration)
        return output, self._within_memory(self._pixels)

    def pixels(self) -> Tensor:
        """The current pictures as they are shown, uint8 [B, H, W, 3]."""
        return self._within_memory(self.loop.pixels)

    def release(self) -> None:
        """Free the recording and the last picture's graph; both are made again when needed."""
        self._drop_recording()
        self.loop.forget()
        release_memory()

    def _step(self, inputs: Inputs) -> StepOutput:
        if self._recording is not None and not self._recording.fits(inputs):
            self._drop_recording()
            self.loop.forget()  # the replayed picture has no graph
        if self._recording is None and self._records and self._warm >= _WARM_UP:
            self._record(inputs)
        if self._recording is not None:
            return self._recording.step(inputs)
        self._warm += 1
        device = self.loop.models.device
        return self.loop.step(mapped(inputs, lambda tensor: tensor.to(device)))

    def _pixels(self) -> Tensor:
        replays = self._recording is not None and self._recording.z is self.loop.latent.z
        return self._recording.pixels() if replays else self.loop.pixels()

    def _drop_recording(self) -> None:
        """Another one is made after one more eager iteration."""
        self._recording, self._warm = None, min(self._warm, _WARM_UP - 1)

    def _record(self, inputs: Inputs) -> None:
        self._records = can_record(self.loop)
        if not self._records:
            return
        try:
            self._recording = Recording(self.loop, inputs)
        except RuntimeError as error:
            # eager iterations have worked before, so painting can always continue with them
            self.loop.latent.optimizer.zero_grad()
            self.loop.forget()
            release_memory()
            self._records = False
            why = "not enough memory" if is_out_of_memory(error) else str(error).splitlines()[0]
            warnings.warn(
                f"This GPU could not record the iteration ({why}): painting more slowly without.",
                stacklevel=2,
            )

    def _within_memory(self, compute: Callable[[], _T]) -> _T:
        """The result of `compute`, which is tried again with less memory if it runs out."""
        while True:
            try:
                return compute()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self.release()
            device = self.loop.models.device
            if not self.memory.save_more():
                raise MemoryError(
                    f"{self._size()} do not fit into the memory of {device}: "
                    f"{self._size_that_fits()}. What was painted is kept."
                )
            warnings.warn(
                f"{self._size()} do not fit into the memory of {device}: "
                f"painting more slowly, {LEVELS[self.memory.level]}.",
                stacklevel=3,
            )

    def _size(self) -> str:
        width, height = self.loop.settings.im_shape
        return f"{width} × {height} pixels"

    def _size_that_fits(self) -> str:
        """The largest of a few smaller sizes whose iteration fits into the memory, in words."""
        for share in (0.75, 0.5, 0.375, 0.25):
            if shape := self._fits(share):
                return f"choose {shape[0]} × {shape[1]}, which would fit"
        return "even a quarter of each side does not, so choose another device"

    def _fits(self, share: float) -> tuple[int, int] | None:
        """Width and height at this share of each side, if forward and backward pass fit."""
        loop, vqgan = self.loop, self.loop.models.vqgan
        z = F.interpolate(loop.latent.z.detach(), scale_factor=share, mode="nearest")
        z.requires_grad_()
        try:
            x = self.memory.decode(vqgan, vqgan.quantize(z)[0], tile=loop.settings.tile)
            cuts = loop.draw_cuts(loop.streams(1), tuple(x.shape[-2:]))
            cuts = mapped(cuts, lambda tensor: tensor.to(loop.models.device))
            embs = loop.encode(loop.crop(x, cuts))
            torch.autograd.backward(sum(emb.sum() for emb in embs))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        finally:
            release_memory()
        return x.shape[-1], x.shape[-2]
