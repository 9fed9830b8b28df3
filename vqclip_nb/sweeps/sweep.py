"""Paint every combination of some settings' values, and sheets of all pictures."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from vqclip_nb.evaluation.scores import check_prompt, cosines
from vqclip_nb.films.progress import progress_bar, with_bar
from vqclip_nb.models.judge import load_judge
from vqclip_nb.models.loading import check_names
from vqclip_nb.pictures import open_picture, portable
from vqclip_nb.settings import Settings, drawn_seed
from vqclip_nb.storage import interrupts
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.locks import FolderLock
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.sweeps.grid import PlannedRun, combinations, in_words
from vqclip_nb.sweeps.html_page import Figure, write_page
from vqclip_nb.sweeps.painting import Done, ModelCache, paint, paint_on_workers

_PAGE = 1000  # pictures on a page
_WIDEST = 8192  # pixels of a sheet, roughly
SCORES = ("clip", "judge")


@dataclass(frozen=True)
class Painted:
    """A finished run of a sweep; its files are read on access.

    values: the names and values of the grid that distinguish it
    """

    settings: Settings
    values: dict[str, object]
    folder: Path

    @property
    def images(self) -> list[Image.Image]:
        """The pictures, one per batch item."""
        files = sorted(self.folder.glob("picture*.png"), key=lambda path: (len(path.name), path))
        return [open_picture(file).convert("RGB") for file in files]

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
    score: str = "judge",
    offline: bool = False,
    show: bool = False,
) -> list[Painted]:
    """Paint every combination of the grid's values; write `out/sheet.png` and `out/sheet.html`.

    grid: maps a field of `Settings`, or `preset`, to its values; the last field varies fastest
    settings: all other fields, see `combinations`; without a seed, one is drawn that all runs
        share, also those of a later call with this `out`
    workers: how many runs are painted at once; more than one needs Ray, the extra [sweep]
    address: a Ray cluster, whose machines share the folder `out`
    gpus: GPUs of each run, fractions allowed; by default all are divided among the workers
    out: holds a folder for each run, named after its settings; a finished run that is there is
        used as it is, an unfinished one is resumed
    columns: pictures in a row of sheet.png, which is in the grid's order
    score: sorts sheet.html: `judge`, or `clip`, the run's last similarity, which a picture can
        raise without looking better
    offline: download no model
    show: display a progress bar, and one for the run that is painted

    The pictures do not depend on the number of workers: each run has the same CPU threads, those
    of `settings` or else of this process. A run that fails raises a warning, and the others
    continue; one whose files were damaged is continued as far as they allow. An interrupt returns
    the finished runs; the same call continues the sweep.

    Raises ValueError before painting if a combination is not allowed, or another process paints
    this sweep.
    """
    settings, out, threads = settings or Settings(), Path(out).absolute(), torch.get_num_threads()
    _check(workers, columns, score)
    seed = _seed_of(out)
    plans = combinations(grid, settings.replace(threads=settings.threads or threads), seed)
    for named in {(p.settings.models, p.settings.clip, p.settings.config) for p in plans}:
        check_names(*named)
    with _claimed(out), interrupts.orderly():
        _keep_seed(out, seed)
        left, failed = _left(plans, out), []
        with progress_bar(len(plans), "run", initial=len(plans) - len(left), show=show) as bar:

            def done(plan: PlannedRun, failure: str) -> None:
                bar.update()
                if failure:
                    failed.append(failure)

            with contextlib.suppress(KeyboardInterrupt):  # the finished runs are kept
                if workers > 1 or address:
                    paint_on_workers(left, out, workers, address, gpus, offline, done)
                else:
                    _paint_here(left, out, offline, done, show)
        left = {plan.name for plan in _left(plans, out)}
        painted = [Painted(p.settings, p.values, out / p.name) for p in plans if p.name not in left]
        if painted:
            _write_sheets(painted, out, columns, score)
    if failed:
        reasons = "; ".join(dict.fromkeys(failed))
        warnings.warn(f"{len(failed)} of {len(plans)} runs failed: {reasons}", stacklevel=2)
    return painted


def _left(plans: list[PlannedRun], out: Path) -> list[PlannedRun]:
    """The runs that are not finished."""
    return [plan for plan in plans if not RunFolder(out / plan.name).is_done()]


@contextlib.contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Keep other processes from this sweep; ValueError if one paints it, or `out` is no folder."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(out, error) from None
    lock = FolderLock(out)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _check(workers: int, columns: int | None, score: str) -> None:
    if score not in SCORES:
        raise ValueError(f"score is {score!r}: allowed is {' or '.join(SCORES)}.")
    for name, value in {"workers": workers, "columns": 1 if columns is None else columns}.items():
        if value < 1 or value != int(value):
            raise ValueError(f"{name} is {value!r}: allowed are whole numbers from 1.")


def _seed_of(out: Path) -> int:
    """The seed that an earlier sweep in this folder drew, or a new one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads((out / "sweep.json").read_text(encoding="utf-8"))["seed"])
    return drawn_seed()


def _keep_seed(out: Path, seed: int) -> None:
    """Record the seed; ValueError if nothing can be written to `out`."""
    try:
        write_file(out / "sweep.json", json.dumps({"seed": seed}).encode())
    except OSError as error:
        raise _no_folder(out, error) from None


def _no_folder(out: Path, error: OSError) -> ValueError:
    return ValueError(
        f"out is {str(out)!r}, where nothing can be written ({error}): choose a folder that you "
        "may write to."
    )


def _paint_here(
    plans: Iterable[PlannedRun], out: Path, offline: bool, done: Done, show: bool
) -> None:
    models, threads = ModelCache(offline), torch.get_num_threads()
    watched = partial(with_bar, leave=False) if show else iter
    try:
        for plan in plans:
            done(plan, paint(plan, out, models, watched))
    finally:
        torch.set_num_threads(threads)  # each run sets its own


def _write_sheets(painted: list[Painted], out: Path, columns: int | None, score: str) -> None:
    """Write all pictures as one PNG, in the grid's order, and as a page, the best first.

    A run whose picture cannot be read is left out with a warning.
    """
    columns = columns or max(6, math.isqrt(len(painted) - 1) + 1)
    widest, images, readable = max(16, _WIDEST // columns), [], []
    for each in painted:
        try:
            image = open_picture(each.folder / "picture.png").convert("RGB")
        except ValueError as error:
            warnings.warn(f"A run was left out of the sheets: {error}", stacklevel=3)
            continue
        image.thumbnail((widest, widest))
        images.append(image)
        readable.append(each)
    if not readable:
        return
    painted = readable
    values = [[f"no {k}" if v == "" else str(v) for k, v in p.values.items()] for p in painted]
    contact_sheet(images, list(map(", ".join, values)), columns=columns).save(out / "sheet.png")
    if score == "clip":
        scores = [_similarity(each) for each in painted]
    else:
        scores = _judged([_last_phrase(each.settings) for each in painted], images)
    figures = list(map(_figure, painted, images, scores))
    more = f", the best {_PAGE} of {len(painted)}" if len(painted) > _PAGE else ""
    by = {"clip": "CLIP", "judge": "the judge"}[score]
    write_page(out / "sheet.html", figures, f"Sweep, scored by {by}{more}", _PAGE)


def _figure(painted: Painted, image: Image.Image, score: float | None) -> Figure:
    settings = portable(painted.settings.to_dict())["settings"]
    return Figure(image, in_words(painted.values), settings["prompt"], settings, score=score)


def _similarity(painted: Painted) -> float | None:
    """The similarity after the last iteration; None if it is not known."""
    history = painted.history
    return history[-1]["similarity"] if history else None


def _last_phrase(settings: Settings) -> str:
    """The prompt, or the last phrase of a story."""
    return " | ".join(map(str, settings.story[-1]))


def _judged(prompts: list[str], images: list[Image.Image]) -> list[float | None]:
    """The judge's score of each picture for its prompt.

    None for a prompt that cannot be scored, such as a picture.
    """
    judge, scores = load_judge(), [None] * len(prompts)
    of_one: dict[str, list[int]] = {}
    for number, prompt in enumerate(prompts):
        of_one.setdefault(prompt, []).append(number)
    for prompt, numbers in of_one.items():
        with contextlib.suppress(ValueError):
            check_prompt(prompt)
            found = cosines(judge, "judge", [images[n] for n in numbers], [prompt])[:, 0]
            for number, value in zip(numbers, found.tolist(), strict=True):
                scores[number] = value
    return scores
