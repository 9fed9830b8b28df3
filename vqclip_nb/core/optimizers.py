"""torch's optimizers by name, and the schedules of the learning rate."""

from __future__ import annotations

import inspect
import math

import torch
from torch import Tensor

from vqclip_nb.settings import Settings

_WARM_UP = 0.1  # share of the run over which the rate of `warm_up` rises
_DROP_AT, _DROP_TO = 0.75, 0.1  # as in pixray: a tenth of the rate for the last quarter


def make_optimizer(settings: Settings, z: Tensor) -> torch.optim.Optimizer:
    """The settings' optimizer for one leaf; on a GPU its capturable form, if it has one."""
    kind = getattr(torch.optim, settings.optimizer)
    options = {"lr": settings.learning_rate, "weight_decay": settings.wd}
    if settings.optimizer == "SGD":
        options["momentum"] = settings.beta1
    elif settings.optimizer not in ("RMSprop", "Adagrad"):
        options["betas"] = (settings.beta1, settings.beta2)
    if z.device.type == "cuda" and "capturable" in inspect.signature(kind).parameters:
        # foreach, since RMSprop's single-tensor code reads the rate back from the GPU
        optimizer = kind([z], **options, capturable=True, foreach=True)
        for group in optimizer.param_groups:  # a recorded step reads its rate from the device
            group["lr"] = torch.full((), settings.learning_rate, device=z.device)
        return optimizer
    return kind([z], **options)


def set_rate(optimizer: torch.optim.Optimizer, settings: Settings, iteration: int) -> None:
    """Set the learning rate and weight decay of an iteration, counted from 1."""
    for group in optimizer.param_groups:
        rate = settings.learning_rate * rate_share(settings, iteration)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
        group["weight_decay"] = settings.wd


def rate_share(settings: Settings, iteration: int) -> float:
    """The factor by which the schedule scales `learning_rate` in an iteration, counted from 1."""
    done = (iteration - 1) / settings.total_iter
    if settings.schedule == "cosine":  # down to 1 %, as MattKevan's notebook
        return 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
    if settings.schedule == "warm_up":
        return min(1.0, iteration / max(1.0, _WARM_UP * settings.total_iter))
    if settings.schedule == "drop":
        return _DROP_TO if done >= _DROP_AT else 1.0
    return 1.0


def state_of(optimizer: torch.optim.Optimizer, z: Tensor) -> dict[str, Tensor]:
    """The optimizer's state of z by name, e.g. `exp_avg`."""
    return {k: v for k, v in optimizer.state.get(z, {}).items() if isinstance(v, Tensor)}


def state_names(settings: Settings) -> set[str]:
    """The names in `state_of` after a step."""
    z = torch.zeros(1, requires_grad=True)
    z.grad = torch.zeros(1)
    optimizer = make_optimizer(settings, z)
    optimizer.step()
    return set(state_of(optimizer, z))


def restore(optimizer: torch.optim.Optimizer, z: Tensor, state: dict[str, Tensor]) -> None:
    """Restore what `state_of` returned; step counters stay on the CPU unless they are capturable."""
    here = bool(optimizer.defaults.get("capturable"))
    if state:
        optimizer.state[z] = {
            name: value.to(z.device if here or value.ndim else "cpu")
            for name, value in state.items()
        }
