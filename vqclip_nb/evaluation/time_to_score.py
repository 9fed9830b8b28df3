"""Time to score: how long a preset takes to match the score of a public loop's picture.

The public loop paints for a given number of iterations, and the judge, a held-out CLIP, scores its
picture. Then the preset paints until one of its pictures scores at least as high. Judging is not
timed. The preset's time includes the start of the run, its draft and the files it writes; the public
loop's time includes its iterations only.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.functional import to_tensor

from vqclip_nb.evaluation import public_loops
from vqclip_nb.evaluation.benchmark import settle
from vqclip_nb.evaluation.tables import markdown
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.judge import load_judge
from vqclip_nb.models.loading import Models, load_for
from vqclip_nb.prompt_syntax import Prompt, parse_story
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings

ScoreFunction = Callable[[Tensor], float]


@dataclass(frozen=True)
class Lap:
    """The result for one sentence.

    score: the goal: cosine of the judge's embeddings of the sentence and the public loop's picture
    plain_seconds, plain_iterations: of the public loop
    ours_seconds: time until a picture of ours reached the goal; None if none did
    ours_iterations: iterations until then; if none did, all that were painted
    ours_score: score of that picture; if none reached the goal, the best score
    """

    prompt: str
    score: float
    plain_seconds: float
    plain_iterations: int
    ours_seconds: float | None
    ours_iterations: int
    ours_score: float

    @property
    def ratio(self) -> float:
        """Our seconds over the public loop's; infinite if none of our pictures reached the goal."""
        return math.inf if self.ours_seconds is None else self.ours_seconds / self.plain_seconds


def race(
    prompts: Sequence[str],
    against: str,
    ours: Settings,
    *,
    iterations: int = 300,
    cutn: int | None = None,
    models: Models | None = None,
    each: Callable[[int, int, str], None] | None = None,
) -> list[Lap]:
    """Compare for every sentence, one after the other.

    against: a public loop in `public_loops.NAMES`, which paints with its own preset
    ours: our settings; the public loop uses the same size and seed
    iterations: iterations of the public loop
    cutn: crops of the public loop (default: those of its preset)
    models: loaded models (default: those that `ours` names)
    each: called before each sentence with its number, from 1, the number of sentences and the
        sentence

    Raises ValueError before any model is loaded.
    """
    for prompt in prompts:
        _check_sentence(prompt)
    ours = ours.replace(seed=ours.seed or 0)
    plain = _plain_settings(against, ours, cutn)
    models = models or load_for(ours)
    judge = load_judge(models.device.type)
    # one-time costs, such as starting threads and loading kernels, must not count for either
    _plain(against, plain, models, iterations=1)
    _ours(ours, models, lambda x: 0.0, goal=0.0)
    laps = []
    for number, prompt in enumerate(prompts, 1):
        if each:
            each(number, len(prompts), prompt)
        score_of = _scorer(judge, prompt)
        x, seconds = _plain(against, plain.replace(prompt=prompt), models, iterations=iterations)
        score = score_of(x)
        reached = _ours(ours.replace(prompt=prompt), models, score_of, goal=score)
        laps.append(Lap(prompt, score, seconds, iterations, *reached))
    return laps


def as_table(laps: Sequence[Lap], against: str) -> str:
    """Format the laps as a Markdown table; the last line has the median and the worst ratio."""
    plain = f"{against}, {laps[0].plain_iterations} iterations"
    head = ["sentence", "judge's score", plain, "ours", "ours / its"]
    lines = []
    for lap in laps:
        reached = f"not in {lap.ours_iterations} iterations, {lap.ours_score:.3f} at best"
        if lap.ours_seconds is not None:
            reached = f"{lap.ours_seconds:.2f} s, iteration {lap.ours_iterations}"
        cells = [lap.prompt, f"{lap.score:.3f}", f"{lap.plain_seconds:.1f} s"]
        lines.append([*cells, reached, _format_ratio(lap.ratio)])
    ratios = [lap.ratio for lap in laps]
    both = f"{_format_ratio(statistics.median(ratios))}, {_format_ratio(max(ratios))}"
    lines.append(["median, worst", "", "", "", both])
    return markdown(head, lines)


def _check_sentence(text: str) -> None:
    """Refuse prompt syntax, which the public loops and the judge do not interpret."""
    sentence = Prompt(text.strip())
    if parse_story(text) != [[sentence]] or sentence.kind != "text":
        raise ValueError(
            f"race has {text!r}: give plain sentences, without weights, bars, pictures or noise."
        )


def _plain_settings(against: str, ours: Settings, cutn: int | None) -> Settings:
    public_loops.check(against)
    plain = Settings.preset(against, im_shape=ours.im_shape, seed=ours.seed)
    return plain if cutn is None else plain.replace(cutn=cutn)


def _scorer(judge: Perceptor, sentence: str) -> ScoreFunction:
    """A function that scores a picture [1, 3, H, W] in [0,1] against the sentence."""
    if unknown := judge.unknown_words(sentence):
        warnings.warn(
            f"The judge does not know {', '.join(map(repr, unknown))}; it ignores these words.",
            stacklevel=3,
        )
    target = judge.encode_text(sentence)

    def score(x: Tensor) -> float:
        x = x.mul(255).round().div(255)  # 8 bits, as in a file
        with torch.no_grad():
            emb = judge.encode_image(x.to(judge.device))
        return torch.cosine_similarity(emb, target).item()

    return score


def _plain(
    against: str, settings: Settings, models: Models, *, iterations: int
) -> tuple[Tensor, float]:
    """Run the public loop; returns its picture and the seconds of its iterations."""
    loop = public_loops.public_loop(against, models, settings)
    # its crops use torch's global generator, whose state the caller keeps
    cuda = [models.device] if models.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(settings.seed)
        _, seconds = _timed(lambda: [loop() for _ in range(iterations)], models.device)
    return loop.picture(), seconds


def _ours(
    settings: Settings, models: Models, score_of: ScoreFunction, *, goal: float
) -> tuple[float | None, int, float]:
    """Paint until a picture reaches the goal; the last three fields of `Lap`."""
    best, device = -math.inf, models.device
    with tempfile.TemporaryDirectory() as out:
        run, seconds = _timed(lambda: Run(settings, models=models, out=out), device)
        with closing(iter(run)) as painting:
            while True:
                state, more = _timed(lambda: next(painting, None), device)
                if state is None:
                    return None, run.i, best
                seconds += more
                best = max(best, score_of(to_tensor(state.images()[0])[None]))
                if best >= goal:
                    return seconds, run.i, best


def _timed(do: Callable[[], object], device: torch.device) -> tuple:
    """Call a function; returns its result and its seconds."""
    settle(device)
    began = time.perf_counter()
    result = do()
    settle(device)
    return result, time.perf_counter() - began


def _format_ratio(ratio: float) -> str:
    return f"{ratio:.4f}" if math.isfinite(ratio) else "never"
