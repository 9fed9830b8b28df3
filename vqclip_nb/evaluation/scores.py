"""How well pictures fit sentences: what the critics find, and the judge, who is never painted with.

A score is the cosine between a critic's embeddings of the whole picture and of the sentence, from
-1 to 1. Each critic has a scale of its own: compare scores of one critic only.
"""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.losses import Weights
from vqclip_nb.core.targets import make_target, sentences_of, unknown_in
from vqclip_nb.evaluation.tables import aligned
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.judge import load_judge
from vqclip_nb.models.loading import Models, load_models
from vqclip_nb.prompt_syntax import parse_story
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import load_picture, to_pixels
from vqclip_nb.storage.metadata import said_by

_BATCH = 64  # pictures that a critic looks at at once
_MOST_PIXELS = 2**24  # of them together, 64 of 512 x 512: they become floats
_LONGEST = 60  # letters of a prompt in a table
_LARGEST = 2**20  # bytes of a settings.json

Source = str | Path | Image.Image


@dataclass(frozen=True)
class Score:
    """What is found of one prompt in one picture.

    picture: as it was given
    scores: each critic's, then the judge's, by name; from -1 to 1, rounded to 6 decimals
    """

    picture: str
    prompt: str
    scores: dict[str, float]


def score(
    images: Source | Sequence[Source],
    prompts: str | Sequence[str] = (),
    models: str | Models = "tiny",
    *,
    clip: str | Sequence[str] = (),
    device: str = "auto",
    precision: str = "auto",
    offline: bool = False,
) -> list[Score]:
    """Score every picture against every prompt, in the order given.

    images: files, runs' folders (their picture.png), or pictures in memory
    prompts: sentences, which may have weights ("a cat:2 | a hat"), see `score_pictures`; if none is
        given, a picture is scored against the one that it says it was painted with, the last one
        where it was changed live, without extras and exclude
    models: a loaded pair, or the name of one that is loaded with what follows, as `load_models` does

    Raises ValueError before any model is loaded where a picture, a prompt or a name is wrong.
    """
    sources = [images] if isinstance(images, Source) else list(images)
    asked = [prompts] if isinstance(prompts, str) else list(prompts)
    if not sources:
        raise ValueError("There is no picture to score: give at least one.")
    for prompt in asked:
        check_prompt(prompt)
    opened = [_opened(source) for source in sources]
    names = [_name(source, number) for number, source in enumerate(sources, 1)]
    wanted = [asked or [_own_prompt(*each)] for each in zip(sources, names, strict=True)]
    distinct = list(dict.fromkeys(itertools.chain(*wanted)))
    if isinstance(models, str):
        named = {"clip": clip, "device": device, "precision": precision}
        models = load_models(models, **named, offline=offline)
    found = score_pictures(opened, distinct, models, load_judge(models.device.type))
    return [
        Score(name, prompt, _rounded(found, number, distinct.index(prompt)))
        for number, name in enumerate(names)
        for prompt in wanted[number]
    ]


def score_pictures(
    images: Sequence[Image.Image],
    prompts: Sequence[str],
    models: Models,
    judge: Perceptor | None = None,
) -> dict[str, Tensor]:
    """What each critic, then the judge, finds of every prompt in every picture: name to [N, P].

    images: of any sizes, opaque

    On the CPU, float32, from -1 to 1. Where each picture has a prompt of its own, the diagonal has
    its score. Several sentences of a prompt score their mean by weight; those to keep away from
    (weights below 0) count only if all are such, as in the similarity that a run tells. Critics
    are called as in `models.clip`, or as they call themselves where that is empty.

    Warns of words that a critic never saw. Raises ValueError where there is no picture or no
    prompt, or a prompt that cannot be scored, see `check_prompt`.
    """
    if not images or not prompts:
        raise ValueError("A score needs at least one picture and one prompt.")
    for prompt in prompts:
        check_prompt(prompt)
    names = models.clip or [perceptor.name for perceptor in models.perceptors]
    critics = dict(zip(names, models.perceptors, strict=True))
    if judge is not None:
        critics["judge"] = judge
    return {name: cosines(critic, name, images, prompts) for name, critic in critics.items()}


def cosines(
    critic: Perceptor, name: str, images: Sequence[Image.Image], prompts: Sequence[str]
) -> Tensor:
    """What one critic, called `name` in warnings, finds: [N, P], see `score_pictures`."""
    return (_embedded(critic, images) @ _aims(critic, name, prompts).T).cpu()


def check_prompt(prompt: str, named: str = "prompt") -> None:
    """Raise ValueError, which calls it `named`, for a prompt that cannot be scored.

    A picture shows one phrase of a story and does not say which; a prompt that is a picture, which
    may be a stranger's address, would be fetched.
    """
    story = parse_story(Settings(prompt=prompt).prompt)
    if len(story) > 1 or any(each.kind != "text" for each in story[0]):
        raise ValueError(
            f"{named} is {prompt!r}: allowed for a score are sentences, with weights or without; "
            "no story (^), picture or noise."
        )


def as_table(rows: Sequence[Score]) -> str:
    """The scores in columns; * marks in each the best of several prompts of one picture."""
    best: dict[tuple[str, str], float] = {}
    prompts: dict[str, set[str]] = {}
    for row in rows:
        prompts.setdefault(row.picture, set()).add(row.prompt)
        for critic, found in row.scores.items():
            best[row.picture, critic] = max(found, best.get((row.picture, critic), found))

    def told(row: Score, critic: str) -> str:
        marked = len(prompts[row.picture]) > 1 and row.scores[critic] == best[row.picture, critic]
        return f"{row.scores[critic]:6.3f}{'*' if marked else ''}"

    lines = [["picture", "prompt", *rows[0].scores]]
    for row in rows:
        texts = _printable(row.picture), _shortened(_printable(row.prompt))
        lines.append([*texts, *(told(row, critic) for critic in row.scores)])
    return aligned(lines)


def _rounded(found: dict[str, Tensor], picture: int, prompt: int) -> dict[str, float]:
    return {critic: round(table[picture, prompt].item(), 6) for critic, table in found.items()}


@torch.no_grad()
def _embedded(critic: Perceptor, images: Sequence[Image.Image]) -> Tensor:
    """The pictures' embeddings [N, E], at unit length, on the critic's device."""
    embs = []
    for pixels in _batches(images):
        x = torch.from_numpy(pixels).to(critic.device).permute(0, 3, 1, 2) / 255  # (n, 3, H, W)
        embs.append(F.normalize(critic.encode_image(x), dim=1))
    return torch.cat(embs)


def _batches(images: Sequence[Image.Image]) -> Iterator[np.ndarray]:
    """Pictures of one size that follow each other, uint8 [n, H, W, 3]."""
    for (width, height), same in itertools.groupby(images, key=lambda image: image.size):
        size = max(1, min(_BATCH, _MOST_PIXELS // (width * height)))
        while batch := list(itertools.islice(same, size)):
            yield np.stack([np.asarray(image.convert("RGB")) for image in batch])


def _aims(critic: Perceptor, name: str, prompts: Sequence[str]) -> Tensor:
    """For each prompt the mean of its goals by weight [P, E]; of one sentence a unit vector."""
    plans = {prompt: Settings(prompt=prompt) for prompt in prompts}
    if told := unknown_in(critic, " ".join(map(sentences_of, plans.values()))):
        warnings.warn(f"{name} never saw {told}: it scores the rest.", stacklevel=3)
    aims = {}
    for prompt, plan in plans.items():
        target = make_target(critic, plan)
        wanted = Weights.at(1, plan, target, {0: 1.0}).wanted.to(critic.device)  # (G,)
        aims[prompt] = wanted @ target.goals  # (E,)
    return torch.stack([aims[prompt] for prompt in prompts])


def _opened(source: Source) -> Image.Image:
    if isinstance(source, Image.Image):
        over = source.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return Image.fromarray(to_pixels(load_picture(_file_of(source)))[0])


def _file_of(source: str | Path) -> str:
    """The picture of a run's folder; else what was given, which may be an address."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return str(source)
    if not (folder / "picture.png").is_file():
        raise ValueError(f"{source} is no run's folder: it has no picture.png.")
    return str(folder / "picture.png")


def _name(source: Source, number: int) -> str:
    return f"picture {number}" if isinstance(source, Image.Image) else str(source)


def _own_prompt(source: Source, name: str) -> str:
    """The prompt that a picture, or else the settings.json beside it, says it was painted with."""
    said = ""
    if not isinstance(source, Image.Image):
        file = Path(_file_of(source)).expanduser()
        said = said_by(file) or _beside(file)
    if not said:
        raise ValueError(f"{name} does not say what it was painted with: give a prompt.")
    try:
        told = json.loads(said)
        plan = Settings.from_dict(told["settings"] | {"updates": told["updates"]})
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError(f"{name} has settings that cannot be read: give a prompt.") from None
    changed = [update["prompt"] for update in plan.updates if "prompt" in update]
    prompt = changed[-1] if changed else plan.prompt
    check_prompt(prompt, f"The prompt of {name}")
    return prompt


def _beside(picture: Path) -> str:
    """The settings.json of a run's folder; empty where there is none that could be one."""
    try:
        with open(picture.with_name("settings.json"), "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError:
        return ""
    return data.decode(errors="replace") if len(data) <= _LARGEST else ""


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _printable(text: str) -> str:
    """The text without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
