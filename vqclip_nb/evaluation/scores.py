"""Score how well pictures fit sentences, with CLIP models and the judge.

A score is the cosine, from -1 to 1, between a model's embeddings of the whole picture and of the
sentence. Each model has its own scale: compare only scores of the same model. The judge is a CLIP
that no picture is optimised for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.losses import Weights
from vqclip_nb.core.targets import make_target, sentences_of, warn_of_unknown_words
from vqclip_nb.evaluation.tables import aligned
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.judge import load_judge
from vqclip_nb.models.loading import Models, load_models
from vqclip_nb.pictures import on_white, provenance_of
from vqclip_nb.prompt_syntax import parse_story
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import read_picture
from vqclip_nb.storage.run_folder import RunFolder

_BATCH = 64  # pictures that are encoded at once
_MOST_PIXELS = 2**24  # of a batch, 64 of 512 x 512: they become floats
_LONGEST = 60  # letters of a prompt in a table

Source = str | Path | Image.Image


@dataclass(frozen=True)
class Score:
    """How well one picture fits one prompt.

    picture: its name, as passed
    scores: each CLIP's, then the judge's, by name; from -1 to 1, rounded to 6 decimals
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
    prompts: sentences, optionally with weights ("a cat:2 | a hat"), see `score_pictures`; without
        any, each picture is scored against its own prompt, read from its provenance: the last one
        if it was changed live, without extras and exclude
    models: a loaded pair, or a name; the other arguments are then those of `load_models`

    Raises ValueError before any model is loaded if a picture, a prompt or a name is wrong.
    """
    sources = [images] if isinstance(images, Source) else list(images)
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not sources:
        raise ValueError("There is no picture to score: give at least one.")
    for prompt in prompts:
        check_prompt(prompt)
    opened, names = [], []
    for number, source in enumerate(sources, 1):
        in_memory = isinstance(source, Image.Image)
        opened.append(on_white(source) if in_memory else read_picture(_file_of(source)))
        names.append(f"picture {number}" if in_memory else str(source))
    wanted = [prompts or [_own_prompt(*each)] for each in zip(sources, names, strict=True)]
    distinct = enumerate(dict.fromkeys(itertools.chain(*wanted)))
    columns = {prompt: column for column, prompt in distinct}
    if isinstance(models, str):
        named = {"clip": clip, "device": device, "precision": precision}
        models = load_models(models, **named, offline=offline)
    found = score_pictures(opened, list(columns), models, load_judge(models.device.type))
    return [
        Score(name, prompt, {k: round(t[row, columns[prompt]].item(), 6) for k, t in found.items()})
        for row, name in enumerate(names)
        for prompt in wanted[row]
    ]


def score_pictures(
    images: Sequence[Image.Image],
    prompts: Sequence[str],
    models: Models,
    judge: Perceptor | None = None,
) -> dict[str, Tensor]:
    """The scores of every picture for every prompt, by each CLIP and the judge: name to [N, P].

    images: of any sizes, opaque

    On the CPU, float32, from -1 to 1. A prompt of several sentences scores their weighted mean;
    negative weights count only if all weights are negative, as in the similarity that a run
    reports. The names are those of `models.clip`, or the perceptors' own if that is empty.

    Warns of words that a CLIP was not trained on. Raises ValueError without a picture or a prompt,
    and for a prompt that cannot be scored, see `check_prompt`.
    """
    if not images or not prompts:
        raise ValueError("A score needs at least one picture and one prompt.")
    for prompt in prompts:
        check_prompt(prompt)
    names = models.clip or [perceptor.name for perceptor in models.perceptors]
    perceptors = dict(zip(names, models.perceptors, strict=True))
    if judge is not None:
        perceptors["judge"] = judge
    return {name: cosines(each, name, images, prompts) for name, each in perceptors.items()}


def cosines(
    perceptor: Perceptor, name: str, images: Sequence[Image.Image], prompts: Sequence[str]
) -> Tensor:
    """The scores [N, P] by one CLIP, which warnings call `name`; see `score_pictures`."""
    return (_embedded(perceptor, images) @ _aims(perceptor, name, prompts).T).cpu()


def check_prompt(prompt: str, named: str = "prompt") -> None:
    """Raise ValueError for a prompt that cannot be scored; the message calls it `named`.

    A picture shows an unknown phrase of a story. A prompt that is a picture would be fetched,
    possibly from an untrusted address.
    """
    story = parse_story(Settings(prompt=prompt).prompt)
    if len(story) > 1 or any(each.kind != "text" for each in story[0]):
        raise ValueError(
            f"{named} is {prompt!r}: allowed for a score are sentences, with weights or without; "
            "no story (^), picture or noise."
        )


def as_table(rows: Sequence[Score]) -> str:
    """The scores in columns; * marks the best of several prompts of one picture."""
    scores: dict[tuple[str, str], dict[str, float]] = {}  # of a picture by a model, per prompt
    for row in rows:
        for name, value in row.scores.items():
            scores.setdefault((row.picture, name), {})[row.prompt] = value

    def cell(row: Score, name: str) -> str:
        of_prompts, value = scores[row.picture, name], row.scores[name]
        best = len(of_prompts) > 1 and value == max(of_prompts.values())
        return f"{value:6.3f}{'*' if best else ''}"

    lines = [["picture", "prompt", *rows[0].scores]]
    for row in rows:
        prompt = _printable(row.prompt)
        prompt = prompt if len(prompt) <= _LONGEST else prompt[: _LONGEST - 1] + "…"
        cells = (cell(row, name) for name in row.scores)
        lines.append([_printable(row.picture), prompt, *cells])
    return aligned(lines)


@torch.no_grad()
def _embedded(perceptor: Perceptor, images: Sequence[Image.Image]) -> Tensor:
    """The pictures' embeddings [N, E], at unit length, on the perceptor's device."""
    embs = []
    for pixels in _batches(images):
        x = torch.from_numpy(pixels).to(perceptor.device).permute(0, 3, 1, 2) / 255  # (n, 3, H, W)
        embs.append(F.normalize(perceptor.encode_image(x), dim=1))  # (n, E)
    return torch.cat(embs)


def _batches(images: Sequence[Image.Image]) -> Iterator[np.ndarray]:
    """Consecutive pictures of equal size, uint8 [n, H, W, 3]."""
    for (width, height), same in itertools.groupby(images, key=lambda image: image.size):
        size = max(1, min(_BATCH, _MOST_PIXELS // (width * height)))
        while batch := list(itertools.islice(same, size)):
            yield np.stack([np.asarray(image.convert("RGB")) for image in batch])


def _aims(perceptor: Perceptor, name: str, prompts: Sequence[str]) -> Tensor:
    """For each prompt the weighted mean of its goals [P, E]; for one sentence a unit vector."""
    plans = {prompt: Settings(prompt=prompt) for prompt in prompts}
    sentences = " ".join(map(sentences_of, plans.values()))
    warn_of_unknown_words(perceptor, sentences, name=name, does="scores the other words")
    aims = {}
    for prompt, plan in plans.items():
        target = make_target(perceptor, plan)
        wanted = Weights.at(1, plan, target, {0: 1.0}).wanted.to(perceptor.device)  # (G,)
        aims[prompt] = wanted @ target.goals  # (E,)
    return torch.stack([aims[prompt] for prompt in prompts])


def _file_of(source: str | Path) -> str:
    """The picture in a run's folder; else the source itself, which may be a web address."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return str(source)
    if not (folder / "picture.png").is_file():
        raise ValueError(f"{source} is not a run's folder: it has no picture.png.")
    return str(folder / "picture.png")


def _own_prompt(source: Source, name: str) -> str:
    """The prompt in the provenance of a picture, or else in the settings.json beside it."""
    text, folder = "", None
    if not isinstance(source, Image.Image):
        file = Path(_file_of(source)).expanduser()
        text, folder = provenance_of(file), file.parent
    if not text and not (folder and (folder / "settings.json").is_file()):
        raise ValueError(f"{name} carries no settings: give a prompt.")
    try:
        plan = Settings.from_provenance(text, "")[0] if text else RunFolder(folder).load_settings()
    except ValueError:
        raise ValueError(f"{name} has settings that cannot be read: give a prompt.") from None
    changed = [update["prompt"] for update in plan.updates if "prompt" in update]
    prompt = changed[-1] if changed else plan.prompt
    check_prompt(prompt, f"The prompt of {name}")
    return prompt


def _printable(text: str) -> str:
    """The text without characters that would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
