"""Train the embedded critic: OpenAI's CLIP architecture on captioned scenes, adversarially.

A critic trained on clean pictures alone is fooled by the painter, which finds coloured texture
that scores well and shows nothing. One L2 gradient step on the pixels before each weight step
(Madry et al., arXiv 1706.06083; fast variant with a random start, Wong et al., 2001.03994) makes
the critic's gradient with respect to the picture look like the thing itself (Engstrom et al.,
1906.00945; for CLIP: Ganz & Elad, 2312.05225), and that gradient is what paints. In the last part
of the training the critic also learns from paintings made with it, see `rivals`.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.folder import write_file
from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import PAIR, vocabulary
from vqclip_nb.train.rivals import Painting, Rivals
from vqclip_nb.train.scenes import Composer, Scenes
from vqclip_nb.train.session import Session
from vqclip_nb.train.sketch import Sketch, train_sketch
from vqclip_nb.train.styles import STYLES
from vqclip_nb.train.towers import (
    SmallCLIP,
    contrastive,
    optimizer_for,
    same_captions,
    share_right,
)
from vqclip_nb.vqgan import VQGAN


class CriticTrainer:
    """The contrastive objective of CLIP (Radford et al., 2103.00020, figure 3) on scenes.

    vqgan: the trained generator, with which the critic's rivals are painted
    `average` has the moving average of the weights over the training: the critic to publish.
    """

    def __init__(
        self,
        settings: dict,
        artwork: Artwork,
        vqgan: VQGAN,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.vqgan, self.device = settings, vqgan, torch.device(device)
        self.sketch: Sketch | None = None
        self.rivals: Rivals | None = None
        torch.manual_seed(settings["seed"])
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.noise = torch.Generator(self.device).manual_seed(settings["seed"])
        self.composer = Composer(
            artwork, self.generator, alike=settings["alike"], device=self.device
        )
        words = vocabulary(artwork.phrases(), STYLES, PAIR)
        self.model = SmallCLIP(settings["architecture"], words)
        self.model.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = optimizer_for(
            self.model, settings["learning_rate"], settings["weight_decay"]
        )

    def train(self, file: Path, minutes: float) -> None:
        """Train until `minutes` are spent, going on from `file` where it exists."""
        self._learn_to_sketch(file.with_name("sketch.safetensors"))
        parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer}
        session = Session(file, minutes, parts, [self.generator, self.noise])
        shown: dict[str, float] = {}
        for step, bar in session.steps(file.stem):
            self._schedule(session.progress)
            for name, value in self._step(session.progress).items():
                before = shown.get(name, value)
                shown[name] = before + (value - before) * 0.02
            words = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
            bar.set_postfix_str(f"step {step} {words} scale {self.model.scale:.1f}", refresh=False)

    def _learn_to_sketch(self, file: Path) -> None:
        """The stand-in for the decoder, from its file or trained now."""
        rivals = self.settings["rivals"]
        if file.exists():
            state = load_file(file)
            self.sketch = Sketch(self.vqgan.codebook.shape[1]).eval().requires_grad_(False)
            self.sketch.load_state_dict(state)
            self.sketch.to(self.device)
        else:
            self.sketch = train_sketch(rivals["sketch"], self.vqgan, self.composer, rivals["size"])
            write_file(file, save(self.sketch.state_dict()))

    def _schedule(self, progress: float) -> None:
        warm_up, last = progress / 0.02 + 0.01, (1 - progress) / 0.2 + 0.01
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings["learning_rate"] * min(1.0, warm_up, last)

    def _radius(self, progress: float) -> float:
        return self.settings["radius"] * min(1.0, progress / self.settings["radius_ramp"])

    def _step(self, progress: float) -> dict[str, float]:
        """One weight step; what it measured, the shares of right answers among them."""
        scenes = self.composer.scenes(self.settings["batch"], self.model.size)
        text = self._texts(scenes)
        same = same_captions(scenes.captions, scenes.captions + scenes.false_captions)
        same = same.to(self.device)
        x = self._disturbed(scenes.x)
        self.model.eval().requires_grad_(False)  # the critic as it will be used
        x, clean = self._attacked(x, text.detach(), same, self._radius(progress))
        pictures, rival_text = [x], None
        if progress >= self.settings["rivals"]["start"]:
            paintings = self._paintings()
            rival_text = self._embedded([painting.caption for painting in paintings])
            pictures += self.rivals.paint(paintings, rival_text, self.model.embed)
        self.model.requires_grad_(True).train()
        emb = self.model.embed(torch.cat(pictures))  # (B + 2P, E)
        logits = self.model.scale * emb[: len(x)] @ text.T  # (B, 2B)
        loss = contrastive(logits, same)
        measured = {"loss": loss.item(), "right": share_right(logits, same), "clean": clean}
        if rival_text is not None:
            real, painted = (emb[len(x) :].view(2, *rival_text.shape) * rival_text).sum(-1)
            # the scene before its rival: Bradley-Terry, as in relativistic GANs (1807.00734)
            loss = loss + F.softplus(self.model.scale.detach() * (painted - real)).mean()
            measured |= {"ranked": (real > painted).float().mean().item()}
            measured |= {"real": real.mean().item(), "painted": painted.mean().item()}
        self._descend(loss)
        return measured

    @torch.no_grad()
    def _embedded(self, captions: list[str]) -> Tensor:
        """Unit embeddings of the paintings' captions, without a gradient.

        The same captions come back while a painting lasts: a text tower that learned from them
        would move them away from their paintings and leave the pictures' tower as it is.
        """
        return F.normalize(self.model.encode_text(captions), dim=1)

    def _texts(self, scenes: Scenes) -> Tensor:
        """Unit embeddings [2B, E] of the captions and the false captions.

        Some captions are replaced by the painter's blend of a prompt and its extras, so that
        blends mean what the whole sentence means.
        """
        blends = [i for i, blend in enumerate(scenes.blends) if blend is not None]
        sentences = scenes.captions + scenes.false_captions
        sentences += [scenes.blends[i][part] for part in (0, 1) for i in blends]
        text = self.model.encode_text(sentences)
        if blends:
            prompt, extras = text[-2 * len(blends) :].chunk(2)
            weight = 0.2 + 0.5 * torch.rand(len(blends), 1, generator=self.generator)
            blended = prompt + weight.to(self.device) * extras
            places = torch.tensor(blends, device=self.device)
            text = text[: -2 * len(blends)].index_copy(0, places, blended)
        return F.normalize(text, dim=1)

    def _paintings(self) -> list[Painting]:
        """The rivals of this step."""
        if self.rivals is None:
            rivals = self.settings["rivals"]
            self.rivals = Rivals(rivals, self.vqgan, self.sketch, self.composer)
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

    def _attacked(self, x, text, same, radius: float) -> tuple[Tensor, float]:
        """Pictures moved by one gradient step inside an L2 ball, to where the critic errs most."""
        noise = self._normal(x.shape)
        start = (x + noise * (0.5 * radius / noise[0].numel() ** 0.5)).requires_grad_()
        logits = self.model.scale * self.model.embed(start) @ text.T
        (gradient,) = torch.autograd.grad(contrastive(logits, same), start)
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        delta = start.detach() + gradient * (1.25 * radius / length) - x
        norm = delta.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        moved = (x + delta * (radius / norm).clamp(max=1)).clamp(0, 1)
        return moved, share_right(logits, same)

    def _normal(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self.noise, device=self.device)

    def _disturbed(self, x: Tensor) -> Tensor:
        """Blur, contrast, brightness and noise, so that the painter's crops are no surprise."""
        size = (len(x), 1, 1, 1)

        def uniform() -> Tensor:
            return torch.rand(size, generator=self.noise, device=self.device)

        blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = torch.where(uniform() < 0.3, blurred, x)
        x = (x - 0.5) * (0.75 + 0.5 * uniform()) + 0.5 + (uniform() - 0.5) * 0.16
        sigma = 0.12 * uniform() * (uniform() < 0.6)
        return (x + sigma * self._normal(x.shape)).clamp(0, 1)
