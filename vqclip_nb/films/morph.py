"""Films in which pictures turn into each other: between prompts, or between saved latents."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel.executor import Executor
from vqclip_nb.core.images import to_pixels
from vqclip_nb.core.latents import size_of
from vqclip_nb.core.loop import Loop
from vqclip_nb.core.targets import Story, Target, make_target
from vqclip_nb.films.options import Morph
from vqclip_nb.films.progress import Watcher, watcher_for
from vqclip_nb.films.resumable_writer import ResumableWriter, film_file
from vqclip_nb.films.shared import iterate, key_run, prepare, writer_for
from vqclip_nb.models.loading import Models
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.pictures import portable
from vqclip_nb.prompt_syntax import parse_story
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder


def morph(
    sources: Sequence[str | Path],
    file: str | Path,
    settings: Settings | None = None,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    offline: bool = False,
    show: bool | Watcher = False,
    **fields: object,
) -> Path:
    """Make a film of pictures that turn into each other; returns its path.

    sources: two or more, each a sentence, which is painted first, or saved latents: a run's folder
        or a `.safetensors` file; through targets only sentences
    file: the film, .mp4 or .gif
    settings: how sentences are painted, and with which models
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the runs of the sentences go; an existing run of the same settings is used, and
        resumed if it is unfinished
    offline: download no model
    show: display progress, inline in a notebook, as bars in a terminal; or a `Watcher`
    fields: those of `Morph`

    Through latents a loop closes exactly; through targets it ends near the first picture. An
    interrupt leaves the film so far; the same call continues it, see `ResumableWriter`.
    Raises ValueError before anything is painted if a value is not allowed.
    """
    how, file, out = Morph(**fields), film_file(file), Path(out).absolute()
    keys = [_Source.of(source) for source in sources]
    _check_sources(keys, how)
    if settings is None:
        settings = Settings(models=next((key.models for key in keys if key.models), "tiny"))
    prompt = next((key.name for key in keys if key.z is None), "latents")
    settings = settings.replace(prompt=prompt, story_window=0)  # each source is one target
    if settings.mask and how.through == "latents":
        raise ValueError("mask cannot be kept in a morph through latents: leave mask out.")
    settings, loaded = prepare(settings, models, file, offline)
    _check_latents(keys, settings, loaded)
    planned, recorded = [key.digest for key in keys], [key.portable_name(settings) for key in keys]
    watcher = watcher_for(show)
    film = _Film(keys, settings, loaded, how, how.course(len(keys)), out, watcher)
    frames = film.painted if how.through == "targets" else film.decoded
    with writer_for(file, how, settings, loaded, planned=planned, recorded=recorded) as writer:
        for frame, state in frames(writer):
            writer.add(frame, state)
            watcher.frame(writer.frames, len(film.course), frame)
    return file


@dataclass(frozen=True)
class _Source:
    """A sentence, or a saved latent z [1, C, h, w].

    name: the sentence, or the latent's path; models: what it was painted with, if known
    plain: whether its picture is decoded from z itself, not from its codes
    """

    name: str
    z: Tensor | None = None
    models: str = ""
    plain: bool = False

    @classmethod
    def of(cls, source: str | Path) -> _Source:
        """Raises ValueError if a path leads to no latents."""
        path = Path(source)
        is_run = os.path.isfile(path / "state.safetensors")  # Path.is_file raises for long names
        if not (is_run or path.suffix == ".safetensors" or isinstance(source, Path)):
            return cls(source)
        run = path if is_run else path.parent.parent  # of steps/000050.safetensors
        header = {"plan": {}}
        if (run / "state.safetensors").is_file():
            tensors, header = RunFolder(run).load_state()
        if not is_run:
            tensors = read_tensors(path)
        z = tensors.get("average", tensors.get("z"))
        if z is None or z.ndim != 4 or not len(z):
            raise ValueError(f"{path} holds no latents: give a run's folder or a step's file.")
        plain = header["plan"].get("quantizer") == "none"
        return cls(str(path), z[:1].float(), header["plan"].get("models", ""), plain)

    @property
    def digest(self) -> str:
        """The sentence, or a checksum of the latent."""
        if self.z is None:
            return self.name
        return hashlib.sha256(self.z.contiguous().numpy().tobytes()).hexdigest()

    def portable_name(self, settings: Settings) -> str:
        """The sentence, or the latent's file, without local folders."""
        if self.z is not None:
            return Path(self.name).name
        return portable(settings.replace(prompt=self.name).to_dict())["settings"]["prompt"]


def _check_sources(keys: list[_Source], how: Morph) -> None:
    """Raise ValueError for sources that no models could use."""
    if len(keys) < 2:
        raise ValueError(f"A morph needs two sources or more, got {len(keys)}.")
    for key in keys:
        if key.z is None and len(parse_story(Settings(prompt=key.name).prompt)) > 1:
            raise ValueError(
                f"A source is {key.name!r}: give each phrase of a story as a sentence of its own."
            )
        if key.z is not None and how.through == "targets":
            raise ValueError(f"{key.name} is not a sentence: through targets, give sentences only.")


def _check_latents(keys: list[_Source], settings: Settings, models: Models) -> None:
    """Raise ValueError for latents of other models or sizes."""
    height, width = size_of(settings.im_shape, models.vqgan.factor)
    sizes = {"the sentences": f"{width} × {height}"} if any(key.z is None for key in keys) else {}
    for key in (key for key in keys if key.z is not None):
        channels = models.vqgan.codebook.shape[1]
        if (key.models or models.name) != models.name or key.z.shape[1] != channels:
            of = key.models or f"a model with {key.z.shape[1]} channels"
            raise ValueError(
                f"{key.name} was painted with {of}, not {models.name}: set models to it."
            )
        sizes[key.name] = f"{key.z.shape[3]} × {key.z.shape[2]}"
    (first, size), *others = sizes.items()
    for name, other in others:
        if other != size:
            raise ValueError(
                f"{name} has {other} codes, but {first} {size}: a morph needs latents of one size."
            )


@dataclass(frozen=True)
class _Film:
    """Makes the frames of a morph that are still to write, uint8 [H, W, 3].

    Each comes with the tensors that the next one depends on.
    """

    keys: list[_Source]
    settings: Settings
    models: Models
    how: Morph
    course: list[tuple[int, float]]
    out: str | Path
    watcher: Watcher

    def decoded(self, writer: ResumableWriter) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
        """Decode blends of the key pictures' codes, so that the film shows these as painted.

        Blends are not quantised: codes that change one by one would make the film flicker.
        """
        vqgan = self.models.vqgan
        ends = [self._codes(key) for key in self.keys]
        for key, share in self.course[writer.frames :]:
            z = blended(ends[key], ends[(key + 1) % len(ends)], share, self.how.blend)
            with torch.no_grad():
                yield to_pixels(vqgan.decode(z, tile=self.settings.tile))[0], {}

    def _codes(self, key: _Source) -> Tensor:
        """What the picture of a key is decoded from."""
        z, plain = key.z, key.plain
        if z is None:
            run = self._run(key)
            z, plain = run.loop.latent.shown(), run.settings.quantizer == "none"
        z = z.to(self.models.device)
        return z if plain else self.models.vqgan.quantize(z)[0]

    def _run(self, key: _Source) -> Run:
        settings = self.settings.replace(prompt=key.name)
        return key_run(settings, self.models, self.out, self.watcher.run)

    def painted(self, writer: ResumableWriter) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
        """Start from the first key picture, and paint towards targets that change gradually."""
        state = writer.state or self._run(self.keys[0]).loop.tensors()
        each = self.how.iterations
        plan = self.settings.replace(
            prompt=" ^ ".join(key.name for key in self.keys),
            total_iter=len(self.course) * each,
            coarse=0.0,
        )
        loop, story = Loop(self.models, plan, saved=state), Story(1, plan.total_iter, 0)
        executor = Executor(loop)
        prompts = [plan.replace(prompt=key.name) for key in self.keys]
        targets = [
            [make_target(perceptor, prompt, writer.load_picture) for prompt in prompts]
            for perceptor in self.models.perceptors
        ]
        for number in range(writer.frames, len(self.course)):
            key, share = self.course[number]
            after, share = (key + 1) % len(self.keys), eased(share, self.how.blend)
            aims = [_between(of[key], of[after], share) for of in targets]
            pixels = executor.pixels()
            for i in range(number * each, (number + 1) * each if number else 0):
                inputs = loop.inputs(i + 1, aims, story)
                drafts = _drafts_between(loop.drafts, key, after, share)
                weights = replace(inputs.weights, drafts=drafts)
                pixels = iterate(executor, i + 1, replace(inputs, weights=weights))
            yield pixels[0].cpu().numpy(), loop.tensors()


def blended(a: Tensor, b: Tensor, share: float, blend: str) -> Tensor:
    """The latent between a and b [B, C, h, w], at a share from 0 to 1 of the way.

    blend: `linear`; `sine`, linear with a pause at both ends; `spherical`, see `slerp`
    """
    share = eased(share, blend)
    return slerp(a, b, share, dim=1) if blend == "spherical" else a.lerp(b, share)


def eased(share: float, blend: str) -> float:
    """The share of the way that is done after a share of the time.

    `sine` is the tutorial's sin(1.5 t)^6 with pi / 2 for 1.5, whose transitions ended at 0.985 and
    then jumped.
    """
    return math.sin(math.pi / 2 * share) ** 6 if blend == "sine" else share


def slerp(a: Tensor, b: Tensor, share: float, *, dim: int) -> Tensor:
    """Interpolate vectors along `dim`: directions on the great circle, lengths linearly.

    Shoemake, "Animating Rotation with Quaternion Curves" (SIGGRAPH 1985), as White applied it to
    latents (1609.04468): halfway along a straight line, vectors are too short. Here each code is a
    vector. White takes the whole latent as one; then the shares of a and b sum to more than 1
    everywhere, and codes that are equal in a and b grow.
    """
    lengths = [v.norm(dim=dim, keepdim=True) for v in (a, b)]
    ua, ub = (v / length.clamp(min=1e-12) for v, length in zip((a, b), lengths, strict=True))
    angle = 2 * torch.atan2(
        (ua - ub).norm(dim=dim, keepdim=True), (ua + ub).norm(dim=dim, keepdim=True)
    )
    sine = angle.sin()
    line = (sine < 1e-4) | (lengths[0] < 1e-12) | (lengths[1] < 1e-12)  # no circle, or all of them
    safe = torch.where(line, 1.0, sine)
    turned = ((1 - share) * angle).sin() / safe * ua + (share * angle).sin() / safe * ub
    return torch.where(line, a.lerp(b, share), turned * lengths[0].lerp(lengths[1], share))


def _between(a: Target, b: Target, share: float) -> Target:
    """One goal between those of two sentences; the goals to avoid are those of `a`."""
    away = [number for number, phrase in enumerate(a.phrases) if phrase is None]
    goal = slerp(_goal(a), _goal(b), share, dim=1)
    one, never = a.weights.new_ones(1), a.stops.new_full((1,), -math.inf)
    return Target(
        torch.cat([goal, a.goals[away]]),
        torch.cat([one, a.weights[away]]),
        torch.cat([never, a.stops[away]]),
        (0, *(None for _ in away)),
    )


def _drafts_between(drafts: list[Tensor | None], key: int, after: int, share: float) -> Tensor:
    """The weight of each sentence's draft [P]; 0 for a sentence without one."""
    weights = torch.zeros(len(drafts))
    for which, part in ((key, 1 - share), (after, share)):
        weights[which] += part * (drafts[which] is not None)
    return weights


def _goal(target: Target) -> Tensor:
    """All goals of a sentence as one unit vector [1, E], by their weights."""
    own = [number for number, phrase in enumerate(target.phrases) if phrase is not None]
    return F.normalize(target.weights[own] @ target.goals[own], dim=0)[None]
