"""How the latent is moved: torch's optimizers by name, and how the learning rate changes."""

from __future__ import annotations

import inspect
import math

import torch
from torch import Tensor

from vqclip_nb.settings import Settings

_WARM_UP = 0.1  # share of the run over which `warm_up` rises
_DROP_AT, _DROP_TO = 0.75, 0.1  # as in pixray: a tenth of the rate for the last quarter


def make_optimizer(settings: Settings, z: Tensor) -> torch.optim.Optimizer:
    """The settings' optimizer of one leaf; on a GPU one that can be recorded, if there is such."""
    kind = getattr(torch.optim, settings.optimizer)
    options = {"lr": settings.learning_rate, "weight_decay": settings.wd}
    if settings.optimizer == "SGD":
        options["momentum"] = settings.beta1
    elif settings.optimizer == "RMSprop":
        options["alpha"] = settings.beta2
    elif settings.optimizer != "Adagrad":
        options["betas"] = (settings.beta1, settings.beta2)
    if z.device.type == "cuda" and "capturable" in inspect.signature(kind).parameters:
        # foreach: RMSprop's single-tensor path would read the rate back from the GPU
        optimizer = kind([z], **options, capturable=True, foreach=True)
        for group in optimizer.param_groups:  # a recorded step reads its rate from the device
            group["lr"] = torch.full((), settings.learning_rate, device=z.device)
        return optimizer
    return kind([z], **options)


def set_rate(optimizer: torch.optim.Optimizer, settings: Settings, iteration: int) -> None:
    """Give the optimizer the learning rate and decay of an iteration, counted from 1."""
    for group in optimizer.param_groups:
        rate = settings.learning_rate * rate_share(settings, iteration)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
        group["weight_decay"] = settings.wd


def rate_share(settings: Settings, iteration: int) -> float:
    """The share of `learning_rate` that the schedule gives to an iteration, counted from 1."""
    done = (iteration - 1) / settings.total_iter
    if settings.schedule == "cosine":  # down to 1 %, as MattKevan's notebook
        return 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
    if settings.schedule == "warm_up":
        return min(1.0, iteration / max(1.0, _WARM_UP * settings.total_iter))
    if settings.schedule == "drop":
        return _DROP_TO if done >= _DROP_AT else 1.0
    return 1.0


def state_of(optimizer: torch.optim.Optimizer, z: Tensor) -> dict[str, Tensor]:
    """The optimizer's memory of z, by name."""
    return {k: v for k, v in optimizer.state.get(z, {}).items() if isinstance(v, Tensor)}


def restore(optimizer: torch.optim.Optimizer, z: Tensor, state: dict[str, Tensor]) -> None:
    """Give an optimizer back what `state_of` took; on the CPU step counters, unless recorded."""
    here = bool(optimizer.defaults.get("capturable"))
    if state:
        optimizer.state[z] = {
            name: value.to(z.device if here or value.ndim else "cpu")
            for name, value in state.items()
        }
