"""Many runs: every combination of some settings' values, and sheets of all pictures."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from tqdm.auto import tqdm

from vqclip_nb.models.loading import Models, check_names, load_for
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings, drawn_seed
from vqclip_nb.storage.metadata import portable
from vqclip_nb.storage.run_folder import RunFolder, write_file
from vqclip_nb.sweeps.grid import Plan, combinations, in_words
from vqclip_nb.sweeps.html_page import Entry, write_page
from vqclip_nb.widgets.display import contact_sheet

_PAGE = 1000  # pictures on a page: a browser opens some more, and nobody looks at them
_WIDEST = 8192  # pixels of a sheet, about
SCORES = ("critic", "judge")

Done = Callable[[Plan, str], None]  # a plan is done, and how it failed, if it did


@dataclass(frozen=True)
class Painted:
    """A run of a sweep that is done; what it left is read when it is asked for.

    values: what sets it apart, names and values of the grid
    """

    settings: Settings
    values: dict[str, object]
    folder: Path

    @property
    def images(self) -> list[Image.Image]:
        """The pictures, one per batch item."""
        files = sorted(self.folder.glob("picture*.png"), key=lambda path: (len(path.name), path))
        images = []
        for file in files:
            with Image.open(file) as image:
                images.append(image.convert("RGB"))
        return images

    @property
    def history(self) -> list[dict]:
        """One dict an iteration."""
        return RunFolder(self.folder).load_history(self.settings.total_iter)

    @property
    def latents(self) -> torch.Tensor:
        """The latents [B, C, h, w]."""
        tensors, _ = RunFolder(self.folder).load_state()
        return tensors.get("average", tensors["z"])


def sweep(
    grid: Mapping[str, Sequence],
    settings: Settings | None = None,
    *,
    workers: int = 1,
    address: str | None = None,
    gpus: float | None = None,
    out: str | Path = "sweep",
    columns: int | None = None,
    score: str = "critic",
    offline: bool = False,
    show: bool = False,
) -> list[Painted]:
    """Paint every combination of the grid's values; write `out/sheet.png` and `out/sheet.html`.

    grid: field of `Settings`, or `preset`, to the values it should take; the last varies fastest
    settings: all other fields, see `combinations`; where there is no seed, one is drawn that all
        share, also those of a later call with this `out`
    workers: how many runs are painted at once; more than one need Ray, the extra [sweep]
    address: of a Ray cluster, whose machines share the folder `out`
    gpus: of each run, by Ray's count, also parts of one; by default all are shared out
    out: each run has a folder in it, named after its settings. What is there already is not
        painted again: a finished run is taken as it is, another gone on with
    columns: pictures in a row of sheet.png, which is in the grid's order
    score: by which sheet.html is sorted, `critic`, the run's last similarity, or `judge`
    show: a bar

    The pictures do not depend on the number of workers: each run has the same CPU threads, those
    of `settings` or else of this process. A run that fails is told of by a warning, and the others
    go on. An interrupt returns what is done; the same call goes on.

    Raises ValueError before painting where a combination is not allowed.
    """
    settings, out, threads = settings or Settings(), Path(out), torch.get_num_threads()
    _refuse_wrong(workers, score)
    seed = _seed_of(out)
    plans = combinations(grid, settings.replace(threads=settings.threads or threads), seed)
    for name, clip in {(p.settings.models, p.settings.clip) for p in plans}:
        check_names(name, clip)
    _keep_seed(out, seed)
    left, failed = [plan for plan in plans if not is_done(out / plan.name)], {}
    with _bar(len(plans), len(plans) - len(left), show) as bar:

        def tell(plan: Plan, failure: str) -> None:
            bar.update()
            if failure:
                failed[plan.name] = failure

        with contextlib.suppress(KeyboardInterrupt):  # what was painted is there
            if workers > 1 or address:
                from vqclip_nb.sweeps.ray_backend import paint_on_workers

                paint_on_workers(left, out, workers, address, gpus, offline, tell)
            else:
                _paint_here(left, out, offline, tell)
    painted = [plan for plan in plans if is_done(out / plan.name)]
    if painted:
        _write_sheets(painted, out, columns, score)
    _warn_of(failed, len(plans))
    return [Painted(plan.settings, plan.values, out / plan.name) for plan in painted]


def _refuse_wrong(workers: int, score: str) -> None:
    if score not in SCORES:
        raise ValueError(f"score is {score!r}: allowed is {' or '.join(SCORES)}.")
    if workers < 1 or workers != int(workers):
        raise ValueError(f"workers is {workers!r}: allowed are whole numbers from 1.")


def is_done(folder: Path) -> bool:
    """Whether a run is there that has nothing left to paint, with its film."""
    run = RunFolder(folder)
    return run.timelapse.is_file() and run.load_header().get("done", False)


def paint(plan: Plan, out: Path, models: Models) -> None:
    """Paint a run to its end, from its beginning or from where it stopped."""
    folder = out / plan.name
    if folder.exists():
        run = Run.resume(folder, models=models)
    else:
        run = Run(plan.settings, models=models, out=out, name=plan.name)
    for _ in run:
        pass


def told_of(plan: Plan, out: Path, models: Callable[[Settings], Models]) -> str:
    """Paint a run; what went wrong, in a sentence, or nothing."""
    try:
        paint(plan, out, models(plan.settings))
    except (ValueError, FloatingPointError, MemoryError, OSError) as error:
        return str(error) or type(error).__name__
    return ""


class Loaded:
    """The pair that was used last: many runs with one pair load it once."""

    def __init__(self, offline: bool) -> None:
        self.offline = offline
        self._models: Models | None = None

    def __call__(self, settings: Settings) -> Models:
        if self._models is None or not self._models.fit(settings):
            self._models = load_for(settings, offline=self.offline)
        return self._models


def _seed_of(out: Path) -> int:
    """The seed that an earlier sweep in this folder drew, else a new one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads((out / "sweep.json").read_text(encoding="utf-8"))["seed"])
    return drawn_seed()


def _keep_seed(out: Path, seed: int) -> None:
    """Raises ValueError where nothing can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_file(out / "sweep.json", json.dumps({"seed": seed}).encode())
    except OSError as error:
        raise ValueError(
            f"out is {str(out)!r}, where nothing can be written ({error}): allowed is a folder "
            "that you may write to."
        ) from None


def _paint_here(plans: Iterable[Plan], out: Path, offline: bool, tell: Done) -> None:
    models, threads = Loaded(offline), torch.get_num_threads()
    try:
        for plan in plans:
            tell(plan, told_of(plan, out, models))
    finally:
        torch.set_num_threads(threads)  # a run leaves its own behind


@contextlib.contextmanager
def _bar(total: int, done: int, show: bool) -> Iterator[tqdm]:
    with tqdm(
        total=total,
        initial=done,
        unit="run",
        file=sys.stderr,
        dynamic_ncols=True,
        disable=not show,
    ) as bar:
        yield bar


def _write_sheets(plans: list[Plan], out: Path, columns: int | None, score: str) -> None:
    """All pictures as one, in the grid's order; and as a page, the best first."""
    columns = columns or max(6, math.isqrt(len(plans) - 1) + 1)
    widest, images = max(16, _WIDEST // columns), []
    for plan in plans:
        image = Painted(plan.settings, plan.values, out / plan.name).images[0]
        image.thumbnail((widest, widest))
        images.append(image)
    captions = [
        ", ".join(f"no {k}" if v == "" else str(v) for k, v in plan.values.items())
        for plan in plans
    ]
    contact_sheet(images, captions, columns=columns).save(out / "sheet.png")
    if score == "critic":
        scores = [_similarity(out / plan.name) for plan in plans]
    else:
        scores = _judged([plan.settings.prompt for plan in plans], images)
    entries = list(map(_entry, plans, images, scores))
    entries.sort(key=lambda entry: math.inf if entry.score is None else -entry.score)
    shown = entries[:_PAGE]
    more = "" if len(shown) == len(plans) else f", the best {_PAGE} of {len(plans)}"
    write_page(out / "sheet.html", shown, f"Sweep, by the {score}'s score{more}")


def _entry(plan: Plan, image: Image.Image, score: float | None) -> Entry:
    said = portable(plan.settings)["settings"]
    return Entry(image, in_words(plan.values), said["prompt"], said, score=score)


def _similarity(folder: Path) -> float:
    """What the critics said at the end."""
    rows = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
    return float(dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))["similarity"])


def _judged(prompts: list[str], images: list[Image.Image]) -> list[float | None]:
    """What the judge finds of each picture's own prompt, a story's last phrase; none of pictures."""
    from vqclip_nb.evaluation.scores import check_prompt, cosines
    from vqclip_nb.models.judge import load_judge

    judge, scores = load_judge(), [None] * len(prompts)
    of_one: dict[str, list[int]] = {}
    for number, prompt in enumerate(prompts):
        of_one.setdefault(prompt.rpartition("^")[2].strip(), []).append(number)
    for prompt, numbers in of_one.items():
        with contextlib.suppress(ValueError):
            check_prompt(prompt)
            found = cosines(judge, "judge", [images[n] for n in numbers], [prompt])[:, 0]
            for number, value in zip(numbers, found.tolist(), strict=True):
                scores[number] = value
    return scores


def _warn_of(failed: dict[str, str], total: int) -> None:
    if failed:
        reasons = "; ".join(dict.fromkeys(failed.values()))
        warnings.warn(f"{len(failed)} of {total} runs failed: {reasons}", stacklevel=3)
