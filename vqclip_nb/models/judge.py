"""The judge: a held-out CLIP that scores pictures and is never optimised against.

A picture optimised for one CLIP always scores high with that CLIP. The judge gives an independent
score: it has a different architecture and was trained on different drawings and captions.

The image encoder of the judge `lite` is the first half of EfficientNet-Lite0, pretrained on ImageNet
(Tan & Le, arXiv 1905.11946; the "lite" variants omit squeeze-and-excitation and swish), followed by
CLIP's attention pool. Its text encoder is CLIP's. A judge whose weights have CLIP's own key names is
a CLIP.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from vqclip_nb.models.clip_model import CLIP, AttentionPool2d, Perceptor, expand_tokens
from vqclip_nb.models.loading import pick_device
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.models.words import Words

_FOLDER = Path(__file__).parent / "tiny"

# blocks of EfficientNet-Lite0 up to stride 16: kernel, stride, channels, expansion
_BLOCKS = [(3, 1, 16, 1), (3, 2, 24, 6), (3, 1, 24, 6), (5, 2, 40, 6), (5, 1, 40, 6)]
_BLOCKS += [(3, 2, 80, 6), (3, 1, 80, 6), (3, 1, 80, 6)]
_BLOCKS += [(5, 1, 112, 6), (5, 1, 112, 6), (5, 1, 112, 6)]
_POOLED = 256  # channels of the attention pool


class LiteTower(nn.Module):
    """Image encoder: pictures [B, 3, S, S], normalised as for CLIP, to embeddings [B, E].

    embed_dim: E; input_resolution: S, a multiple of 16
    """

    def __init__(self, embed_dim: int, input_resolution: int) -> None:
        super().__init__()
        self.input_resolution = input_resolution
        stem = Conv2dNormActivation(3, 32, 3, stride=2, activation_layer=nn.ReLU6)
        self.conv1, self.bn1, self.relu1 = stem
        channels, blocks = 32, []
        for kernel, stride, out, expansion in _BLOCKS:
            blocks.append(_InvertedResidual(channels, out, kernel, stride, expansion))
            channels = out
        self.blocks = nn.Sequential(*blocks)
        self.widen = Conv2dNormActivation(channels, _POOLED, 1, activation_layer=nn.ReLU6)
        self.attnpool = AttentionPool2d(input_resolution // 16, _POOLED, 4, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Encode pictures."""
        x = self.relu1(self.bn1(self.conv1(x)))
        return self.attnpool(self.widen(self.blocks(x)))


class _InvertedResidual(nn.Module):
    """Inverted residual block of MobileNetV2 (Sandler et al., arXiv 1801.04381)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        layers = []
        if expansion != 1:
            layers.append(Conv2dNormActivation(channels, hidden, 1, activation_layer=nn.ReLU6))
        layers.append(
            Conv2dNormActivation(
                hidden, hidden, kernel, stride, groups=hidden, activation_layer=nn.ReLU6
            )
        )
        layers.append(Conv2dNormActivation(hidden, out, 1, activation_layer=None))
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


def judges_in(folder: Path = _FOLDER) -> list[str]:
    """The names of the judges in a folder, sorted."""
    return sorted(file.stem.removeprefix("judge_") for file in folder.glob("judge_*.safetensors"))


def load_judge(device: str = "auto", *, name: str = "lite", folder: Path = _FOLDER) -> Perceptor:
    """Load an embedded judge, frozen, in fp32.

    device: auto (cuda, else mps, else cpu), cpu, cuda, cuda:1 or mps
    name: one of `judges_in(folder)`
    folder: of its weights and of `words.json`
    """
    if name not in judges_in(folder):
        there = ", ".join(judges_in(folder)) or "none"
        raise ValueError(f"no judge in {folder} is called {name!r}; there are: {there}")
    file = folder / f"judge_{name}.safetensors"
    words = Words.load(folder / "words.json")
    state = read_tensors(file)
    if "visual.blocks.0.layers.0.0.weight" not in state:
        return Perceptor.from_state(f"judge {name}", state, words).to(pick_device(device))
    return _with_lite_tower(f"judge {name}", state, words).to(pick_device(device))


def _with_lite_tower(name: str, state: dict[str, Tensor], words: Words) -> Perceptor:
    """A CLIP whose weights `visual.` are those of a `LiteTower`."""
    state = {name: tensor.float() for name, tensor in expand_tokens(state).items()}
    width, embed_dim = state["text_projection"].shape
    context, vocabulary = len(state["positional_embedding"]), len(state["token_embedding.weight"])
    layers = len({name.split(".")[2] for name in state if name.startswith("transformer.resblocks")})
    pooled = len(state["visual.attnpool.positional_embedding"]) - 1  # without the mean's
    visual = LiteTower(embed_dim, 16 * round(pooled**0.5))
    heads = max(1, width // 64)  # as in every CLIP
    model = CLIP(embed_dim, 64, 1, 64, 64, context, vocabulary, width, heads, layers)
    model.visual = visual
    for name, counter in visual.state_dict(prefix="visual.").items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, counter)
    model.load_state_dict(state)
    return Perceptor(name, model, words)
