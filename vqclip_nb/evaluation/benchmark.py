"""How long an iteration takes, how much memory, and how near that is to what the machine can do.

`vqclip bench` measures every size with every number of crops. Everything that is compared runs in
turn, an iteration each, so that what else the machine does is shared fairly; what is told of it is
the median.
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

from vqclip_nb.evaluation import public_loops
from vqclip_nb.evaluation.tables import markdown
from vqclip_nb.models.half_precision import PRECISIONS
from vqclip_nb.models.loading import Models
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings

_NAMES = {dtype: name for name, dtype in PRECISIONS.items()}
_WARM = 5  # iterations before any is timed: a GPU records the fourth
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux


@dataclass(frozen=True)
class Row:
    """What was measured of one size and number of crops.

    seconds: of an iteration, from its beginning to the next one's; the median
    networks: seconds of the networks' own forward and backward passes alone
    memory: bytes at most, of the GPU or, on the CPU, of the whole process; None where unknown
    share: of the rate at which this machine multiplies matrices, in the networks' precision
    plain: seconds of an iteration of the public loop; plain_memory: its bytes
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
    """Measure an iteration of the settings; against: a name of `public_loops.NAMES`."""
    if against is not None:
        public_loops.check(against)
    with tempfile.TemporaryDirectory() as out:
        total = _WARM + iterations + 1  # the last one would be kept, which takes longer
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
    """The median seconds of each way, which take turns."""
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
    """Floating-point operations a second of a large product of matrices.

    In bfloat16 on a GPU, in float32 on the CPU; the best of several.
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
    """The rows as a table in Markdown."""
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
    """Decoder and critics alone, forward and backward, on what an iteration gives them."""
    vqgan = models.vqgan
    width, height = (side // vqgan.factor for side in settings.im_shape)
    places = torch.arange(width * height, device=vqgan.device) % len(vqgan.codebook)
    z_q = vqgan.codebook[places].T.reshape(1, -1, height, width)
    z_q = z_q.repeat(settings.batch_size, 1, 1, 1).requires_grad_()
    crops = [
        torch.rand(settings.batch_size * settings.cutn, 3, p.input_size, p.input_size)
        .to(vqgan.device)
        .requires_grad_()
        for p in models.perceptors
    ]

    def step() -> None:
        x = vqgan.decode(z_q)
        for perceptor, seen in zip(models.perceptors, crops, strict=True):
            perceptor.encode_image(seen).sum().backward()
        x.sum().backward()  # last, as in any such loop: what the decoder keeps has left the cache

    return step


def _peak(step: Callable[[], object], device: torch.device) -> int | None:
    """Bytes at most while it warms up; None where nobody counts."""
    cuda = device.type == "cuda"
    counts = cuda or (sys.platform == "linux" and device.type == "cpu" and _RESET.exists())
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    elif counts:
        _RESET.write_text("5")  # forget the high-water mark
    for _ in range(_WARM):
        step()
    if cuda:
        return torch.cuda.max_memory_allocated(device)
    if not counts:
        return None
    (mark,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(mark.split()[1]) * 1024


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _bytes(count: int | None) -> str:
    return "" if count is None else f"{count / 2**30:.2f} GiB"
