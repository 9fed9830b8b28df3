"""What the optimizer moves: the latent, its moving average, and the optimizer's own memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import optimizers
from vqclip_nb.settings import Settings

_MEMORY = "optimizer."  # prefix of the optimizer's tensors among those that are saved


class LatentState:
    """A latent and its optimizer.

    z: the leaf [B, C, h, w]
    start: z at the beginning, for `init_weight` and for codes that a mask keeps
    average: exponential moving average of z, or None if `ema` is 0
    """

    def __init__(
        self,
        settings: Settings,
        z: Tensor,
        *,
        start: Tensor | None = None,
        average: Tensor | None = None,
    ) -> None:
        self.z = z.detach().clone().requires_grad_()
        self.start = z.detach().clone() if start is None else start
        if settings.ema and average is None:
            average = z.detach().clone()
        self.average, self._decay = average, settings.ema
        self.optimizer = optimizers.make_optimizer(settings, self.z)

    @classmethod
    def restore(cls, settings: Settings, tensors: dict[str, Tensor], device: torch.device):
        """The state whose `tensors()` are given; its next step is the one it would have made."""
        here = {name: value.to(device) for name, value in tensors.items()}
        state = cls(settings, here["z"], start=here["start"], average=here.get("average"))
        memory = {
            name.removeprefix(_MEMORY): value
            for name, value in tensors.items()
            if name.startswith(_MEMORY)
        }
        optimizers.restore(state.optimizer, state.z, memory)
        return state

    def tensors(self) -> dict[str, Tensor]:
        """Everything that `restore` needs."""
        tensors = {"z": self.z, "start": self.start}
        if self.average is not None:
            tensors["average"] = self.average
        memory = optimizers.state_of(self.optimizer, self.z)
        return tensors | {_MEMORY + name: value for name, value in memory.items()}

    def shown(self) -> Tensor:
        """The latent that is shown and kept: the average if there is one, else z."""
        return (self.z if self.average is None else self.average).detach()

    def resized(self, settings: Settings, height: int, width: int) -> LatentState:
        """A state of another size that begins with this one's latent, with a fresh optimizer."""
        z, average = (
            each if each is None else F.interpolate(each, (height, width), mode="bicubic")
            for each in (self.z.detach(), self.average)
        )
        return LatentState(settings, z, average=average)

    def move(
        self,
        gradient: Tensor,
        finite: Tensor,
        *,
        confine: Callable[[Tensor], None] | None,
        free: Tensor | None,
    ) -> None:
        """One optimizer step along the gradient, unless `finite` is false.

        finite: a boolean scalar on the device, so that nothing waits for it
        confine: moves z in place to where the codes are; None: z may go anywhere
        free: [1, 1, h, w], false for codes that keep their start; None: all are free
        """
        before = self.z.detach().clone()
        self.z.grad = torch.where(finite, gradient, 0.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            if confine is not None:
                confine(self.z)
            if free is not None:
                self.z.copy_(torch.where(free, self.z, self.start))
            self.z.copy_(torch.where(finite, self.z, before))
            if self.average is not None:
                self.average.lerp_(self.z, 1 - self._decay)


def misfit(
    tensors: Mapping[str, Tensor], settings: Settings, shapes: Collection[tuple[int, ...]]
) -> str:
    """Why these are not the saved tensors of a run; empty if they are.

    shapes: those that the latent can have
    """
    if not {"z", "start"} <= tensors.keys():
        return "it has no latent"
    z, (width, height) = tensors["z"], settings.im_shape
    if tuple(z.shape) not in shapes:
        return f"its latent has the shape {tuple(z.shape)}, expected is {next(iter(shapes))}"
    own = {"kept": (1, 3, height, width), "paint": (1, 1, height, width)}  # of the mask
    for name, value in tensors.items():
        if tuple(value.shape) not in (own.get(name, z.shape), ()) or not value.is_floating_point():
            return f"{name} has the shape {tuple(value.shape)}"
        if not value.isfinite().all():
            return f"{name} has values that are not finite"
    memory = {n.removeprefix(_MEMORY) for n in tensors if n.startswith(_MEMORY)}
    if memory and not memory >= optimizers.state_names(settings):
        return f"it has no memory of the optimizer {settings.optimizer}"
    if settings.mask and len(own.keys() & tensors.keys()) == 1:
        return "its mask is not whole"
    return ""
