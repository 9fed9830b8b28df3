"""One picture becomes another: a film between prompts, or between latents that were kept."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel.executor import Executor
from vqclip_nb.core.images import to_pixels
from vqclip_nb.core.loop import Loop
from vqclip_nb.core.targets import Story, Target, make_target
from vqclip_nb.films.options import Morph
from vqclip_nb.films.progress import Watcher, watcher
from vqclip_nb.films.resumable_writer import Reel, film_file
from vqclip_nb.films.shared import iterated, key_run, prepared, said_of
from vqclip_nb.models.loading import Models
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.pictures import portable
from vqclip_nb.prompt_syntax import parse_story
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import remembered
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
    """Make the film of pictures that pass into each other; returns its path.

    sources: two or more: sentences, which are painted first; or latents that were kept, the folder
        of a run or a `.safetensors` file; through targets only sentences
    file: the film, .mp4 or .gif
    settings: how sentences are painted, and with which models
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the runs of the sentences go; a run of the same settings that is there is used, and
        gone on with if it is not finished
    offline: fetch no model
    show: in a notebook pictures and frames inline, in a terminal bars; or someone who looks on
    fields: those of `Morph`

    Through latents a loop closes exactly; through targets it ends near the first picture. An
    interrupt leaves the film so far; the same call goes on with it, see `Reel`.
    Raises ValueError before anything is painted where something is wrong.
    """
    how, file = Morph(**fields), film_file(file)
    keys = [_Source.of(source) for source in sources]
    _refuse_wrong(keys, how)
    if settings is None:
        settings = Settings(models=next((key.models for key in keys if key.models), "tiny"))
    settings = settings.replace(prompt=next((key.name for key in keys if key.z is None), "latents"))
    if settings.mask and how.through == "latents":
        raise ValueError("mask keeps parts of a picture, and a film of latents none: leave it out.")
    settings, loaded = prepared(settings, models, file, offline)
    _refuse_other(keys, settings, loaded)
    plan = {"kind": "morph", "sources": [key.sum for key in keys]}
    plan |= {"fields": asdict(how), "settings": settings.to_dict()}
    kind = {"kind": "morph", "sources": [key.said(settings) for key in keys]}
    said = said_of(kind, how, settings, loaded)
    watched = watcher(show)
    film = _Film(keys, settings, loaded, how, how.course(len(keys)), out, watched)
    with Reel(file, fps=how.fps, plan=plan, comment=said) as reel:
        for frame, state in film.frames(reel):
            reel.add(frame, state)
            watched.frame(reel.frames, len(film.course), frame)
    return file


@dataclass(frozen=True)
class _Source:
    """A sentence, or a latent z [1, C, h, w] that was kept.

    name: the sentence, or where the latent lies; models: what it was painted with, where known
    plain: whether its picture is decoded of z itself, not of its codes
    """

    name: str
    z: Tensor | None = None
    models: str = ""
    plain: bool = False

    @classmethod
    def of(cls, source: str | Path) -> _Source:
        """Raises ValueError where there should be latents and are none."""
        path = Path(source)
        is_run = os.path.isfile(path / "state.safetensors")  # of a long sentence, Path's raises
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
    def sum(self) -> str:
        """What tells it from others: the sentence, or a checksum."""
        if self.z is None:
            return self.name
        return hashlib.sha256(self.z.contiguous().numpy().tobytes()).hexdigest()

    def said(self, settings: Settings) -> str:
        """What the film says of it: its sentence, or its name without folders."""
        if self.z is not None:
            return Path(self.name).name
        return portable(settings.replace(prompt=self.name).to_dict())["settings"]["prompt"]


def _refuse_wrong(keys: list[_Source], how: Morph) -> None:
    """What is wrong whatever the models are."""
    if len(keys) < 2:
        raise ValueError(f"A morph needs two sources or more: there is {len(keys)}.")
    for key in keys:
        if key.z is None and len(parse_story(Settings(prompt=key.name).prompt)) > 1:
            raise ValueError(
                f"A source is {key.name!r}: give each phrase of a story as a sentence of its own."
            )
        if key.z is not None and how.through == "targets":
            raise ValueError(f"{key.name} is no sentence: through targets there are only those.")


def _refuse_other(keys: list[_Source], settings: Settings, models: Models) -> None:
    """Latents of other models or sizes."""
    width, height = (side // models.vqgan.factor for side in settings.im_shape)
    sizes = {"the sentences": (height, width)} if any(key.z is None for key in keys) else {}
    for key in (key for key in keys if key.z is not None):
        channels = models.vqgan.codebook.shape[1]
        if (key.models or models.name) != models.name or key.z.shape[1] != channels:
            of = key.models or f"a model with {key.z.shape[1]} channels"
            raise ValueError(f"{key.name} was painted with {of}, not {models.name}: name that one.")
        sizes[key.name] = tuple(key.z.shape[-2:])
    first, *others = sizes.items()
    for name, size in others:
        if size != first[1]:
            raise ValueError(
                f"{name} has {size[1]} × {size[0]} codes and {first[0]} {first[1][1]} × "
                f"{first[1][0]}: a morph needs latents of one size."
            )


@dataclass(frozen=True)
class _Film:
    """What the frames are made of."""

    keys: list[_Source]
    settings: Settings
    models: Models
    how: Morph
    course: list[tuple[int, float]]
    out: str | Path
    watched: Watcher

    def frames(self, reel: Reel) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
        """The frames that the reel lacks, uint8 [H, W, 3], and what the next ones depend on."""
        return self._painted(reel) if self.how.through == "targets" else self._decoded(reel)

    def _decoded(self, reel: Reel) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
        """Of blended codes, decoded as they are.

        The codes are those of the key pictures, so that these are in the film as they were painted.
        In between nothing is quantised: codes that change one by one would make the film flicker.
        """
        vqgan = self.models.vqgan
        ends = [self._codes(key) for key in self.keys]
        for key, share in self.course[reel.frames :]:
            z = blended(ends[key], ends[(key + 1) % len(ends)], share, self.how.blend)
            with torch.no_grad():
                yield to_pixels(vqgan.decode(z, tile=self.settings.tile))[0], {}

    def _codes(self, key: _Source) -> Tensor:
        """What the picture of a key is decoded of."""
        z, plain = key.z, key.plain
        if z is None:
            run = self._run(key)
            z, plain = run.loop.latent.shown(), run.settings.quantizer == "none"
        z = z.to(self.models.device)
        return z if plain else self.models.vqgan.quantize(z)[0]

    def _run(self, key: _Source) -> Run:
        return key_run(self.settings.replace(prompt=key.name), self.models, self.out, self.watched)

    def _painted(self, reel: Reel) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
        """Painted after targets that pass into each other, from the first key picture on."""

        def load(source: str) -> Tensor:
            return remembered(source, reel.parts / "inputs")

        state = reel.state or self._run(self.keys[0]).loop.tensors()
        each = self.how.iterations
        plan = self.settings.replace(
            prompt=" ^ ".join(key.name for key in self.keys),
            total_iter=len(self.course) * each,
            coarse=0.0,
        )
        loop, story = Loop(self.models, plan, saved=state), Story(1, plan.total_iter, 0)
        executor = Executor(loop)
        targets = [
            [make_target(perceptor, plan.replace(prompt=key.name), load) for key in self.keys]
            for perceptor in self.models.perceptors
        ]
        for number in range(reel.frames, len(self.course)):
            key, after, share = self._passage(number)
            aims = [_between(of[key], of[after], share) for of in targets]
            pixels = executor.pixels()
            for i in range(number * each, (number + 1) * each if number else 0):
                inputs = loop.inputs(i + 1, aims, story)
                drafts = _drafts_between(loop.drafts, key, after, share)
                weights = replace(inputs.weights, drafts=drafts)
                pixels = iterated(executor, i + 1, replace(inputs, weights=weights))
            yield pixels[0].cpu().numpy(), loop.tensors()

    def _passage(self, number: int) -> tuple[int, int, float]:
        """Of a frame: from which key, to which, how far."""
        key, share = self.course[number]
        return key, (key + 1) % len(self.keys), eased(share, self.how.blend)


def blended(a: Tensor, b: Tensor, share: float, blend: str) -> Tensor:
    """The latent between a and b [B, C, h, w], at a share of the way from 0 to 1.

    blend: `linear`; `sine`, the same way with a pause at either end; `spherical`, see `slerp`
    """
    share = eased(share, blend)
    if blend == "spherical":
        return slerp(a, b, share, dim=1)
    return a.lerp(b, share)


def eased(share: float, blend: str) -> float:
    """The way that is behind after a share of the time.

    `sine` is the tutorial's sin(1.5 t)^6, with pi / 2 for 1.5: its passages ended at 0.985, a jump
    before the next.
    """
    return math.sin(math.pi / 2 * share) ** 6 if blend == "sine" else share


def slerp(a: Tensor, b: Tensor, share: float, *, dim: int) -> Tensor:
    """Between vectors along `dim`: the direction on the great circle, the length linearly.

    Shoemake, "Animating Rotation with Quaternion Curves" (SIGGRAPH 1985), as White applied it to
    latents (1609.04468): on a straight line between vectors the middle is too short. Here each code
    is a vector. Of the whole latent as one, White's case, the shares of a and b add up to more than
    1 everywhere, also where a and b are equal: what should stand still would swell.
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
    """One goal between those of two sentences; what to keep away from stays."""
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
    """How much the draft of each sentence counts [P]; one that there is not, nothing."""
    weights = torch.zeros(len(drafts))
    for which, part in ((key, 1 - share), (after, share)):
        weights[which] += part * (drafts[which] is not None)
    return weights


def _goal(target: Target) -> Tensor:
    """All goals of a sentence as one unit vector [1, E], by their weights."""
    own = [number for number, phrase in enumerate(target.phrases) if phrase is not None]
    return F.normalize(target.weights[own] @ target.goals[own], dim=0)[None]
