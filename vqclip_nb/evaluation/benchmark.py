"""Benchmark of an iteration: time, memory and utilisation.

`vqclip bench` measures each combination of picture size and number of crops. The loops under
comparison alternate, one iteration each, so that other load on the machine affects them equally;
times are medians.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from vqclip_nb.core.latents import size_of
from vqclip_nb.evaluation import public_loops
from vqclip_nb.evaluation.tables import markdown
from vqclip_nb.models.half_precision import PRECISIONS
from vqclip_nb.models.loading import Models
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings

_NAMES = {dtype: name for name, dtype in PRECISIONS.items()}
_WARM = 5  # warm-up iterations; a CUDA graph is captured in the fourth
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux


@dataclass(frozen=True)
class Row:
    """The measurements for one picture size and number of crops.

    seconds: median time of an iteration
    networks: median time of the forward and backward passes of VQGAN and CLIP alone, in seconds
    memory: peak bytes, of the GPU or, on the CPU, of the whole process; None if unknown
    share: FLOP rate of the networks over that of a large matrix product on this machine
    plain: median time of an iteration of the public loop, in seconds; plain_memory: its peak bytes
    """

    models: str
    clip: tuple[str, ...]
    precision: str
    width: int
    height: int
    cutn: int
    seconds: float
    networks: float
    memory: int | None
    share: float
    plain: float | None = None
    plain_memory: int | None = None


def measure(
    settings: Settings, models: Models, *, iterations: int = 20, against: str | None = None
) -> Row:
    """Measure an iteration of the settings; against: a public loop in `public_loops.NAMES`."""
    if against is not None:
        public_loops.check(against)
    with tempfile.TemporaryDirectory() as out:
        total = _WARM + iterations + 1  # the last iteration also saves, so it is never timed
        plan = settings.replace(total_iter=total, show_step=total, seed=settings.seed or 0)
        run = Run(plan, models=models, out=out)
        painting = iter(run)
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: next(painting),
            "networks": _networks(models, run.settings),
        }
        if against:
            ways["plain"] = public_loops.public_loop(against, models, run.settings)
        memory = {name: _peak(way, models.device) for name, way in ways.items()}
        with FlopCounterMode(display=False) as counter:
            ways["networks"]()
        seconds = in_turn(ways, iterations, models.device)
        painting.close()
    rate = matmul_rate(models.device)
    return Row(
        run.settings.models,
        run.settings.clip,
        _NAMES[models.vqgan.dtype],
        *run.settings.im_shape,
        run.settings.cutn,
        seconds["ours"],
        seconds["networks"],
        memory["ours"],
        counter.get_total_flops() / seconds["ours"] / rate,
        seconds.get("plain"),
        memory.get("plain"),
    )


def in_turn(
    ways: dict[str, Callable[[], object]], iterations: int, device: torch.device
) -> dict[str, float]:
    """The median seconds of each function in `ways`, called in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(iterations):
        for name, way in ways.items():
            settle(device)
            began = time.perf_counter()
            way()
            settle(device)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in times.items()}


def matmul_rate(device: torch.device) -> float:
    """FLOP per second of a large matrix product, in bfloat16 on a GPU and float32 on a CPU.

    The best of eight measurements.
    """
    side, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1536, torch.float32)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        settle(device)
        began = time.perf_counter()
        a @ b
        settle(device)
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best


def as_table(rows: Sequence[Row], against: str | None = None) -> str:
    """Format the rows as a Markdown table."""
    head = ["model", "precision", "size", "crops", "it/s", "× networks", "memory", "of matmul"]
    if against:
        head += [f"{against} it/s", "faster", "its memory"]
    lines = []
    for row in rows:
        cells = [row.models, row.precision, f"{row.width}×{row.height}", str(row.cutn)]
        cells += [
            f"{1 / row.seconds:.2f}",
            f"{row.seconds / row.networks:.2f}",
            _bytes(row.memory),
            f"{row.share:.0%}",
        ]
        if row.plain:
            cells += [f"{1 / row.plain:.2f}", f"{row.plain / row.seconds:.2f}×"]
            cells += [_bytes(row.plain_memory)]
        lines.append(cells)
    return markdown(head, lines)


def _networks(models: Models, settings: Settings) -> Callable[[], None]:
    """A function that runs only the decoder and the CLIPs, forward and backward."""
    vqgan = models.vqgan
    height, width = size_of(settings.im_shape, vqgan.factor)
    indices = torch.arange(width * height, device=vqgan.device) % len(vqgan.codebook)
    z_q = vqgan.codebook[indices].T.reshape(1, -1, height, width)  # (1, C, h, w)
    z_q = z_q.repeat(settings.batch_size, 1, 1, 1).requires_grad_()  # (B, C, h, w)
    crops = [
        torch.rand(settings.batch_size * settings.cutn, 3, p.input_size, p.input_size)
        .to(vqgan.device)
        .requires_grad_()
        for p in models.perceptors
    ]

    def step() -> None:
        x = vqgan.decode(z_q)
        for perceptor, cuts in zip(models.perceptors, crops, strict=True):
            perceptor.encode_image(cuts).sum().backward()
        x.sum().backward()  # last, as in the loop, when its activations have left the CPU cache

    return step


def _peak(step: Callable[[], object], device: torch.device) -> int | None:
    """Peak bytes during the warm-up; None if they cannot be measured on this platform."""
    cuda = device.type == "cuda"
    measurable = cuda or (sys.platform == "linux" and device.type == "cpu" and _RESET.exists())
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    elif measurable:
        _RESET.write_text("5")  # reset the high-water mark
    for _ in range(_WARM):
        step()
    if cuda:
        return torch.cuda.max_memory_allocated(device)
    if not measurable:
        return None
    (mark,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(mark.split()[1]) * 1024


def settle(device: torch.device) -> None:
    """Wait until the device has finished its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _bytes(count: int | None) -> str:
    return "" if count is None else f"{count / 2**30:.2f} GiB"
