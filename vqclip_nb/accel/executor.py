"""Who carries iterations out: in less memory where there is not enough, recorded where that helps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel import memory_estimate
from vqclip_nb.accel.cuda_graphs import Recording, can_record
from vqclip_nb.accel.memory_saving import LEVELS, is_out_of_memory
from vqclip_nb.accel.tensor_trees import mapped
from vqclip_nb.core.canvas import Canvas
from vqclip_nb.core.step import Inputs, Step
from vqclip_nb.models.loading import Models, release_memory

_WARM = 3  # iterations before one is recorded: the first pictures are there at once
_T = TypeVar("_T")


class Painter:
    """Judges, moves and shows a canvas, an iteration at a time."""

    def __init__(self, models: Models, canvas: Canvas) -> None:
        self.models, self.canvas = models, canvas
        self.step = Step(models, canvas)
        self._recording: Recording | None = None
        self._warm, self._records = 0, True

    def foresee(self) -> None:
        """Begin in less memory, with a warning, where an iteration would not fit into what is free."""
        settings, thrift = self.canvas.settings, self.canvas.thrift
        room = memory_estimate.free(self.models.device)
        if room is None or memory_estimate.surely_enough(self.models, settings) <= room:
            return
        takes = first = memory_estimate.needed(self.models, settings, thrift.level)
        while takes > room and thrift.spare():
            takes = memory_estimate.needed(self.models, settings, thrift.level)
        if first > room:
            width, height = settings.im_shape
            warnings.warn(
                f"{width} × {height} pixels with {settings.cutn} crops take about "
                f"{first / 2**30:.1f} GiB and {self.models.device} has {room / 2**30:.1f} free: "
                f"painting more slowly, {LEVELS[thrift.level]}.",
                stacklevel=3,
            )

    def iterate(self, iteration: int, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """One iteration, counted from 1: what `Step.judge` tells, and the pictures after it.

        A GPU may still be at work when this returns. Raises MemoryError where nothing helps.
        """
        self.canvas.set_rate(iteration)
        told = self._thriftily(lambda: self._judge(inputs))
        self.canvas.grow_if_due(iteration)
        return told, self._thriftily(self._see)

    def pictures(self) -> Tensor:
        """The current pictures as they are shown, uint8 [B, H, W, 3]."""
        return self._thriftily(self.step.see)

    def forget(self) -> None:
        """Give the memory of graph and recording back; both are made again when needed."""
        self._drop()
        self.canvas.forget()
        release_memory()

    def _judge(self, inputs: Inputs) -> Tensor:
        if self._recording is not None and not self._recording.fits(inputs):
            self._drop()
            self.canvas.forget()  # what was played has no gradient
        if self._recording is None and self._records and self._warm >= _WARM:
            self._record(inputs)
        if self._recording is not None:
            return self._recording.judge(inputs)
        self._warm += 1
        return self.step.judge(mapped(inputs, lambda tensor: tensor.to(self.models.device)))

    def _see(self) -> Tensor:
        playing = self._recording is not None and self._recording.z is self.canvas.z
        return self._recording.see() if playing else self.step.see()

    def _drop(self) -> None:
        """No recording any more; the next one is made after one more iteration without."""
        self._recording, self._warm = None, min(self._warm, _WARM - 1)

    def _record(self, inputs: Inputs) -> None:
        """Record the iteration, where that is possible."""
        self._records = can_record(self.step)
        if not self._records:
            return
        try:
            self._recording = Recording(self.step, inputs)
        except RuntimeError as error:
            # plain iterations have run before, so painting can always continue without
            self.canvas.optimizer.zero_grad()
            self.canvas.forget()
            release_memory()
            self._records = False
            why = "not enough memory" if is_out_of_memory(error) else str(error).splitlines()[0]
            warnings.warn(
                f"This GPU could not record the iteration ({why}): going on more slowly without.",
                stacklevel=2,
            )

    def _thriftily(self, compute: Callable[[], _T]) -> _T:
        """What `compute` gives; in less memory where there is not enough."""
        thrift = self.canvas.thrift
        while True:
            try:
                return compute()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self.forget()
            width, height = self.canvas.settings.im_shape
            if not thrift.spare():
                raise MemoryError(
                    f"{width} × {height} pixels do not fit into the memory of "
                    f"{self.models.device}; {self._size_that_fits()}; what was painted is kept."
                )
            warnings.warn(
                f"{width} × {height} pixels do not fit into the memory of {self.models.device}: "
                f"going on more slowly, {LEVELS[thrift.level]}.",
                stacklevel=3,
            )

    def _size_that_fits(self) -> str:
        """The largest of a few sizes of which an iteration fits into the memory, in words."""
        for share in (0.75, 0.5, 0.375, 0.25):
            if shape := self._fits(share):
                return f"{shape[0]} × {shape[1]} would fit"
        return "nor does a quarter of each side: try another device"

    def _fits(self, share: float) -> tuple[int, int] | None:
        """The size at this share of each side, if its forward and backward pass fit."""
        vqgan, canvas = self.models.vqgan, self.canvas
        z = F.interpolate(canvas.z.detach(), scale_factor=share, mode="nearest").requires_grad_()
        try:
            x = canvas.thrift.decode(vqgan, vqgan.quantize(z)[0], tile=canvas.settings.tile)
            cuts = self.step.cuts(self.step.streams(1), tuple(x.shape[-2:]))
            cuts = mapped(cuts, lambda tensor: tensor.to(self.models.device))
            sum(emb.sum() for emb in self.step.embeddings(x, cuts)).backward()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        finally:
            release_memory()
        return x.shape[-1], x.shape[-2]
