"""Train a small CLIP on captioned scenes, with adversarial training.

A CLIP trained on clean pictures only is easily fooled: optimising a picture for it gives coloured
textures that score high and show nothing. Adversarial training, one L2 gradient step on the pixels
before each weight step (Madry et al., arXiv 1706.06083; fast variant with a random start: Wong et
al., 2001.03994), makes the gradient of CLIP with respect to the picture resemble the thing itself
(Engstrom et al., 1906.00945; for CLIP: Ganz & Elad, 2312.05225). Painting follows that gradient. In
the last part of the training, CLIP also learns from paintings made with it, see `rivals`.

The image encoder is trained first, against a `lexicon`; then the text encoder is trained to predict
the embeddings of the lexicon.
"""

from __future__ import annotations

import copy
import math
import random
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.models.draft.composition import Composition, Item
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.compositions import Cast, all_things, caption_of, vocabulary, with_error
from vqclip_nb.train.compositions.describe import Templates
from vqclip_nb.train.fragments import fragments
from vqclip_nb.train.lexicon import Lexicon, Meaning
from vqclip_nb.train.rivals import Painting, Rivals
from vqclip_nb.train.scene_pool import ScenePool
from vqclip_nb.train.session import Session
from vqclip_nb.train.sketch import Sketch, train_sketch
from vqclip_nb.train.towers import (
    SmallCLIP,
    contrastive,
    same_captions,
    share_right,
    weights_of,
)

# Targets of a batch: texts [2B, E] (B true, B false) and `same_captions` [B, 2B]; the names of all
# things [names, E] and their shares in each picture [B, names].
Answers = tuple[Tensor, Tensor, Tensor, Tensor]


class CLIPTrainer:
    """Trains CLIP with its contrastive objective (Radford et al., 2103.00020, figure 3).

    settings: the recipe's `[clip]` or one of its judges
    pool: the pictures
    templates: of the captions
    visual: an image encoder that replaces CLIP's
    rivals: the trained VQGAN, which paints them, and the drawings of their scenes; None: no rivals

    The weights to publish are in `average`: the moving average of the image encoder, and the text
    encoder.
    """

    def __init__(
        self,
        settings: dict,
        pool: ScenePool,
        templates: Templates,
        *,
        visual: torch.nn.Module | None = None,
        rivals: tuple[VQGAN, Cast] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.pool, self.device = settings, pool, torch.device(device)
        self.templates, self._painters = templates, rivals
        self.sketch: Sketch | None = None
        self.rivals: Rivals | None = None
        torch.manual_seed(settings["seed"])
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.noise = torch.Generator(self.device).manual_seed(settings["seed"])
        self.model = SmallCLIP(settings["architecture"], vocabulary(), visual)
        with torch.no_grad():
            self.model.clip.text_projection.mul_(0.1)  # brings the norm near that of the lexicon's
        self.model.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).eval()
        self.lexicon = Lexicon(settings["architecture"]["embed_dim"]).to(self.device)
        self.fragments = fragments(self.lexicon)
        self._list_names()
        self._make_optimizers()

    def _list_names(self) -> None:
        """The names that the drawn things are called by; things of the same name count as one."""
        drawn = sorted({i for scene in self.pool.scenes for i in scene.things})
        spoken = {name: row for row, name in enumerate(dict.fromkeys(_spoken(i) for i in drawn))}
        self.names = [self.lexicon.meaning(Composition("plain", (Item(name),))) for name in spoken]
        self.name_of = {i: spoken[_spoken(i)] for i in drawn}

    def _make_optimizers(self) -> None:
        settings, decay = self.settings, self.settings["weight_decay"]
        seen = weights_of(self.model.clip.visual, decay)
        seen[1]["params"].append(self.model.clip.logit_scale)
        table = {"params": self.lexicon.parameters(), "weight_decay": 0.0}
        table["lr"] = settings["lexicon_learning_rate"]
        self.optimizer = torch.optim.AdamW(
            [*seen, table], lr=settings["learning_rate"], betas=(0.9, 0.98)
        )
        text = weights_of(self.average.clip, decay)
        self.text_optimizer = torch.optim.AdamW(
            text, lr=settings["reading_rate"], betas=(0.9, 0.98)
        )
        for group in (*self.optimizer.param_groups, *self.text_optimizer.param_groups):
            group["base"] = group["lr"]

    def train(self, file: Path, minutes: float) -> None:
        """Train for `minutes` in total; resumes from `file` and `file`-text if they exist."""
        reading = minutes * self.settings["reading"]
        self._train_images(file, minutes - reading)
        self._train_text(file.with_stem(file.stem + "-text"), reading)

    def _train_images(self, file: Path, minutes: float) -> None:
        """Train the image encoder and the lexicon."""
        if self._painters is not None:
            self.sketch = self._learn_to_sketch(file.with_name("sketch.safetensors"))
        parts = {"model": self.model, "average": self.average, "lexicon": self.lexicon}
        parts |= {"optimizer": self.optimizer}
        session = Session(file, minutes, parts, [self.generator, self.noise])
        shown: dict[str, float] = {}
        for step, bar in session.steps(file.stem):
            _schedule(self.optimizer, session.progress)
            for name, value in self._step(session.progress).items():
                before = shown.get(name, value)
                shown[name] = before + (value - before) * 0.02
            words = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
            bar.set_postfix_str(f"step {step} {words} scale {self.model.scale:.1f}", refresh=False)

    def _train_text(self, file: Path, minutes: float) -> None:
        """Train the text encoder to predict the lexicon's embedding of a sentence's meaning."""
        parts = {"average": self.average, "optimizer": self.text_optimizer}
        session = Session(file, minutes, parts, [self.generator])
        shown = 1.0
        for step, bar in session.steps(file.stem):
            _schedule(self.text_optimizer, session.progress)
            shown += (self._text_step() - shown) * 0.02
            bar.set_postfix_str(f"step {step} error {shown:.4f}", refresh=False)

    def _text_step(self) -> float:
        """One weight step of the text encoder; returns its relative squared error."""
        rng, batch = self._random(), self.settings["batch"]
        read = [scene.composition for scene in rng.choices(self.pool.scenes, k=batch)]
        read += [with_error(each, rng) for each in read[: batch // 2]]
        sentences = [caption_of(each, self.templates, rng) for each in read]
        meanings = [self.lexicon.meaning(each) for each in read]
        for text, meaning in rng.choices(self.fragments, k=batch // 2):
            sentences.append(text)
            meanings.append(meaning)
        with torch.no_grad():
            target = self.lexicon(meanings)
        emb = self.average.encode_text(sentences)
        error = (emb - target).square().sum() / target.square().sum()
        self.text_optimizer.zero_grad(set_to_none=True)
        error.backward()
        self.text_optimizer.step()
        return error.item()

    def _random(self) -> random.Random:
        return random.Random(int(torch.randint(2**62, (), generator=self.generator)))

    def _learn_to_sketch(self, file: Path) -> Sketch:
        """Load the sketch from its file, or train it."""
        vqgan, cast = self._painters
        if file.exists():
            sketch = Sketch(vqgan.codebook.shape[1], vqgan.factor).eval()
            sketch.load_state_dict(load_file(file))
            return sketch.requires_grad_(False).to(self.device)
        sketch = train_sketch(self.settings["rivals"], vqgan, cast, self.generator)
        write_file(file, save(sketch.state_dict()))
        return sketch

    def _step(self, progress: float) -> dict[str, float]:
        """One weight step; returns losses and accuracies."""
        x, chosen = self.pool.batch(self.settings["batch"], self.model.size, self.generator)
        answers = self._answers(chosen)
        x = self._disturbed(x.to(self.device))
        if progress >= self.settings["attacked_from"]:
            self.model.eval().requires_grad_(False)  # as in painting
            x = self._attacked(x, answers, self.settings["radius"])
        pictures, rival_text = [x], None
        if self.sketch is not None and progress >= self.settings["rivals"]["start"]:
            self.model.eval().requires_grad_(False)
            paintings = self._paintings()
            rival_text = self._embedded(
                [self.lexicon.meaning(p.composition) for p in paintings]
            ).detach()
            pictures += self.rivals.paint(paintings, rival_text, self.model.embed, self.model.size)
        self.model.requires_grad_(True).train()
        emb = self.model.embed(torch.cat(pictures))  # (B + 2P, E)
        loss = self._loss(emb[: len(x)], answers)
        texts, same, names, shown = answers
        measured = {"loss": loss.item(), "right": share_right(emb[: len(x)] @ texts.T, same)}
        measured["name"] = share_right(emb[: len(x)] @ names.T, shown)
        if rival_text is not None:
            real, painted = (emb[len(x) :].view(2, *rival_text.shape) * rival_text).sum(-1)
            # rank the scene above its rival: Bradley-Terry, as in relativistic GANs (1807.00734)
            loss = loss + F.softplus(self.model.scale.detach() * (painted - real)).mean()
            measured |= {"ranked": (real > painted).float().mean().item()}
            measured |= {"real": real.mean().item(), "painted": painted.mean().item()}
        self._descend(loss)
        return measured

    def _answers(self, chosen: list[int]) -> Answers:
        scenes, rng = [self.pool.scenes[i] for i in chosen], self._random()
        own = [self.lexicon.meaning(scene.composition) for scene in scenes]
        false = [self.lexicon.meaning(with_error(scene.composition, rng)) for scene in scenes]
        same = same_captions(own, own + false).to(self.device)
        shown = torch.zeros(len(scenes), len(self.names))
        for row, scene in zip(shown, scenes, strict=True):
            row[[self.name_of[i] for i in scene.things]] = 1 / max(len(scene.things), 1)
        names = self._embedded(self.names)
        return self._embedded(own + false), same, names, shown.to(self.device)

    def _loss(self, emb: Tensor, answers: Answers) -> Tensor:
        """Cross-entropy over the captions of the batch, and over the names of all things.

        A batch has few things that look alike; the names of all things include them.
        """
        texts, same, names, shown = answers
        among_all = F.cross_entropy(self.model.scale * emb @ names.T, shown)
        return contrastive(self.model.scale * emb @ texts.T, same) + among_all

    def _embedded(self, meanings: list[Meaning]) -> Tensor:
        """Unit embeddings [n, E] of meanings."""
        return F.normalize(self.lexicon(meanings), dim=1)

    def _paintings(self) -> list[Painting]:
        """The rivals of this step."""
        if self.rivals is None:
            settings, (vqgan, cast) = self.settings["rivals"], self._painters
            self.rivals = Rivals(settings, vqgan, self.sketch, cast, self.generator)
        return self.rivals.chosen()

    def _descend(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.clip.logit_scale.clamp_(max=math.log(100))
            now = self.model.state_dict()
            for name, mean in self.average.state_dict().items():
                if mean.is_floating_point():
                    mean.lerp_(now[name], 1 - self.settings["ema"])

    def _attacked(self, x: Tensor, answers: Answers, radius: float) -> Tensor:
        """Adversarial pictures: one gradient step that raises the loss, inside an L2 ball.

        The radius of each picture is random, up to `radius`, so that fine details also count.
        """
        if radius == 0:
            return x
        radii = radius * torch.rand(len(x), 1, 1, 1, generator=self.noise, device=self.device)
        noise = self._normal(x.shape)
        start = (x + noise * (0.5 * radii / noise[0].numel() ** 0.5)).requires_grad_()
        loss = self._loss(self.model.embed(start), tuple(each.detach() for each in answers))
        (gradient,) = torch.autograd.grad(loss, start)
        delta = start.detach() + _unit(gradient) * 1.25 * radii - x
        return (x + _unit(delta) * torch.minimum(_length(delta), radii)).clamp(0, 1)

    def _normal(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self.noise, device=self.device)

    def _disturbed(self, x: Tensor) -> Tensor:
        """Augment with blur, contrast, brightness and noise, as in the crops of a painting."""
        size = (len(x), 1, 1, 1)

        def uniform() -> Tensor:
            return torch.rand(size, generator=self.noise, device=self.device)

        blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = torch.where(uniform() < 0.3, blurred, x)
        x = (x - 0.5) * (0.75 + 0.5 * uniform()) + 0.5 + (uniform() - 0.5) * 0.16
        sigma = 0.12 * uniform() * (uniform() < 0.6)
        return (x + sigma * self._normal(x.shape)).clamp(0, 1)


def _spoken(thing: int) -> str:
    return all_things()[thing].spoken


def _schedule(optimizer: torch.optim.Optimizer, progress: float) -> None:
    """Warm-up over 2 % of the training, linear decay over the last fifth."""
    share = min(1.0, progress / 0.02 + 0.01, (1 - progress) / 0.2 + 0.01)
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * share


def _length(x: Tensor) -> Tensor:
    """L2 norms [B, 1, 1, 1] of pictures."""
    return x.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)


def _unit(x: Tensor) -> Tensor:
    return x / _length(x)
