"""Train the embedded critic: OpenAI's CLIP architecture on captioned scenes, adversarially.

A critic trained on clean pictures alone is fooled by the painter, which finds coloured texture
that scores well and shows nothing. One L2 gradient step on the pixels before each weight step
(Madry et al., arXiv 1706.06083; fast variant with a random start, Wong et al., 2001.03994) makes
the critic's gradient with respect to the picture look like the thing itself (Engstrom et al.,
1906.00945; for CLIP: Ganz & Elad, 2312.05225), and that gradient is what paints. In the last part
of the training the critic also learns from paintings made with it, see `rivals`.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from clip import tokenize
from clip.model import CLIP

from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.rivals import Rivals
from vqclip_nb.train.scenes import Composer, vocabulary
from vqclip_nb.train.session import Session
from vqclip_nb.vqgan import VQGAN

VOCABULARY = 49408  # rows of OpenAI's BPE table
_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)


class CriticTrainer:
    """The contrastive objective of CLIP (Radford et al., 2103.00020, figure 3) on scenes.

    vqgan: the trained generator, with which the critic's rivals are painted
    """

    def __init__(self, settings: dict, artwork: Artwork, vqgan: VQGAN) -> None:
        self.settings, self.vqgan = settings, vqgan
        self.rivals: Rivals | None = None
        torch.manual_seed(settings["seed"])
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.composer = Composer(artwork, self.generator)
        self.words = vocabulary(artwork)
        self.ids = token_ids(self.words)
        self.rows = torch.full((VOCABULARY,), -1).scatter(0, self.ids, torch.arange(len(self.ids)))
        shape = dict(settings["architecture"], vision_patch_size=None, vocab_size=len(self.ids))
        self.model = CLIP(**dict(shape, vision_layers=tuple(shape["vision_layers"])))
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": settings["weight_decay"]},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=settings["learning_rate"],
            betas=(0.9, 0.98),
        )

    def train(self, file: Path, minutes: float) -> None:
        """Train until `minutes` are spent, going on from `file` where it exists."""
        parts = {"model": self.model, "optimizer": self.optimizer}
        session = Session(file, minutes, parts, [self.generator])
        shown: dict[str, float] = {}
        for step, bar in session.steps("critic"):
            self._schedule(session.progress)
            for name, value in self._step(session.progress).items():
                before = shown.get(name, value)
                shown[name] = before + (value - before) * 0.02
            words = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
            scale = self.model.logit_scale.exp()
            bar.set_postfix_str(f"step {step} {words} scale {scale:.1f}", refresh=False)
        self.model.eval()

    def _schedule(self, progress: float) -> None:
        warm = min(1.0, progress / 0.02 + 0.01)
        cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings["learning_rate"] * warm * cosine

    def _radius(self, progress: float) -> float:
        return self.settings["radius"] * min(1.0, progress / self.settings["radius_ramp"])

    def _step(self, progress: float) -> dict[str, float]:
        """One weight step; what it measured, the shares of right answers among them."""
        scenes = self.composer.scenes(self.settings["batch"], self.model.visual.input_resolution)
        paintings = self._paintings(progress)
        captions = scenes.captions + [painting.caption for painting in paintings]
        text = F.normalize(self._encode_text(captions), dim=1)  # (B + P, E)
        text, rival_text = text[: len(scenes.captions)], text[len(scenes.captions) :]
        same = _same(scenes.captions)
        x = self._disturbed(scenes.x)
        self.model.eval().requires_grad_(False)  # the critic as it will be used
        x, clean = self._attacked(x, text.detach(), same, self._radius(progress))
        pairs = [x]
        if paintings:
            pairs += self.rivals.paint(paintings, rival_text.detach(), self._embed)
        self.model.requires_grad_(True).train()
        emb = self._embed(torch.cat(pairs))  # (B + 2P, E)
        logits = self._scale() * emb[: len(x)] @ text.T
        loss = _contrastive(logits, same)
        measured = {"loss": loss.item(), "right": _right(logits, same), "clean": clean}
        if paintings:
            shown, painted = (emb[len(x) :].view(2, -1, emb.shape[1]) * rival_text).sum(-1)
            # the scene before its rival: Bradley-Terry, as in relativistic GANs (1807.00734)
            loss = loss + F.softplus(self._scale() * (painted - shown)).mean()
            measured |= {"ranked": (shown > painted).float().mean().item()}
            measured |= {"shown": shown.mean().item(), "painted": painted.mean().item()}
        self._descend(loss)
        return measured

    def _paintings(self, progress: float) -> list:
        """The rivals of this step; none before their share of the training begins."""
        settings = self.settings["rivals"]
        if progress < settings["start"]:
            return []
        if self.rivals is None:
            self.rivals = Rivals(settings, self.vqgan, self.composer, self.generator)
        return self.rivals.chosen()

    def _descend(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(100))

    def _embed(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.model.visual((x - _MEAN) / _STD), dim=1)  # (B, E)

    def _scale(self) -> torch.Tensor:
        return self.model.logit_scale.exp()

    def _logits(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return self._scale() * self._embed(x) @ text.T  # (B, B)

    def _attacked(self, x, text, same, radius: float) -> tuple[torch.Tensor, float]:
        """Pictures moved by one gradient step inside an L2 ball, to where the critic errs most."""
        noise = torch.randn(x.shape, generator=self.generator)
        start = (x + noise * (0.5 * radius / noise[0].numel() ** 0.5)).requires_grad_()
        logits = self._logits(start, text)
        (gradient,) = torch.autograd.grad(_contrastive(logits, same), start)
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        delta = start.detach() + gradient * (1.25 * radius / length) - x
        norm = delta.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        return (x + delta * (radius / norm).clamp(max=1)).clamp(0, 1), _right(logits, same)

    def _disturbed(self, x: torch.Tensor) -> torch.Tensor:
        """Blur, contrast, brightness and noise, so that the painter's crops are no surprise."""
        size = (len(x), 1, 1, 1)

        def uniform() -> torch.Tensor:
            return torch.rand(size, generator=self.generator)

        blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = torch.where(uniform() < 0.3, blurred, x)
        x = (x - 0.5) * (0.75 + 0.5 * uniform()) + 0.5 + (uniform() - 0.5) * 0.16
        sigma = 0.12 * uniform() * (uniform() < 0.6)
        return (x + sigma * torch.randn(x.shape, generator=self.generator)).clamp(0, 1)

    def _encode_text(self, captions: list[str]) -> torch.Tensor:
        """CLIP's encode_text, cut at the longest caption: attention is causal, so it is the same."""
        model = self.model
        tokens = tokenize(captions, context_length=model.context_length, truncate=True)
        length = int(tokens.argmax(dim=-1).max()) + 1
        x = model.token_embedding(self.rows[tokens[:, :length]].clamp_min(0))  # (B, T, W)
        x = (x + model.positional_embedding[:length]).permute(1, 0, 2)  # (T, B, W)
        for block in model.transformer.resblocks:
            block.attn_mask = model.build_attention_mask()[:length, :length]
            x = block(x)
        x = model.ln_final(x.permute(1, 0, 2))
        return x[torch.arange(len(x)), tokens.argmax(dim=-1)] @ model.text_projection  # (B, E)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The critic with OpenAI's key names; of the token table only the rows that were trained.

        `token_embedding.ids` [n] says which rows of the full table `token_embedding.rows` [n, W]
        are; all others are zero.
        """
        state = {k: v for k, v in self.model.state_dict().items() if "num_batches" not in k}
        state["token_embedding.rows"] = state.pop("token_embedding.weight")
        state["token_embedding.ids"] = self.ids.to(torch.int32)
        return state


def token_ids(words: list[str]) -> torch.Tensor:
    """Sorted ids of every token that the words can produce, start, end and padding included."""
    return torch.unique(torch.cat([tokenize(word).flatten() for word in words]))


def _same(captions: list[str]) -> torch.Tensor:
    """[B, B]: share of the probability that belongs to equal captions."""
    index = {caption: i for i, caption in enumerate(dict.fromkeys(captions))}
    number = torch.tensor([index[caption] for caption in captions])
    equal = (number[:, None] == number[None, :]).float()
    return equal / equal.sum(1, keepdim=True)


def _contrastive(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    return (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2


def _right(logits: torch.Tensor, same: torch.Tensor) -> float:
    best = logits.detach().argmax(1, keepdim=True)
    return (same.gather(1, best) > 0).float().mean().item()
