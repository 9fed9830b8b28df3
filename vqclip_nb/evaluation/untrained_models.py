"""The official architectures with random weights, for measurements without a download.

The time and memory of an iteration depend only on the shapes of the weights.
"""

from __future__ import annotations

import torch
from torch import nn

from vqclip_nb.models.clip_model import CLIP, Perceptor
from vqclip_nb.models.half_precision import pick_precision
from vqclip_nb.models.loading import Models, pick_device
from vqclip_nb.models.registry import RegisteredModel, find_model
from vqclip_nb.models.vqgan import VQGAN, Network
from vqclip_nb.settings import Settings

# embed_dim; image encoder: resolution, layers, width, patch; text encoder: width (as `clip.load`
# reads them from the published files)
_CLIPS = {
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 512),
    "RN101": (512, 224, (3, 4, 23, 3), 64, None, 512),
    "RN50x4": (640, 288, (4, 6, 10, 6), 80, None, 640),
    "RN50x16": (768, 384, (6, 8, 18, 8), 96, None, 768),
    "RN50x64": (1024, 448, (3, 15, 36, 10), 128, None, 1024),
    "ViT-B/32": (512, 224, 12, 768, 32, 512),
    "ViT-B/16": (512, 224, 12, 768, 16, 512),
    "ViT-L/14": (768, 224, 24, 1024, 14, 768),
    "ViT-L/14@336px": (768, 336, 24, 1024, 14, 768),
}
_CONTEXT, _VOCABULARY, _TEXT_LAYERS, _HEAD = 77, 49_408, 12, 64


def untrained(settings: Settings, *, depth: int | None = None) -> Models:
    """The models that the settings name; raises ValueError for other than official ones.

    depth: depth of the CLIPs, see `untrained_clip`
    """
    found, device = find_model("vqgan", settings.models), pick_device(settings.device)
    if found is None or found.embedded:
        raise ValueError(
            f"models is {settings.models!r}: only official models can be measured untrained, "
            "see `vqclip models`."
        )
    names = settings.clip or tuple(found.clip)
    for name in names:
        if name not in _CLIPS:
            raise ValueError(f"clip is {name!r}: allowed untrained is {', '.join(_CLIPS)}.")
    dtype = pick_precision(settings.precision, device)
    torch.manual_seed(0)
    vqgan = VQGAN(untrained_network(found).to(device)).use(dtype)
    clips = {name: untrained_clip(name, depth=depth) for name in names}
    perceptors = [Perceptor(name, clip).to(device).use(dtype) for name, clip in clips.items()]
    return Models(settings.models, settings.clip, vqgan, perceptors, device, settings.precision)


def untrained_network(found: RegisteredModel) -> Network:
    """An official VQGAN with random weights, without its discriminator."""
    gumbel = found.layout.startswith("gumbel")
    network = Network(found.config, discriminator=False, gumbel=gumbel)
    nn.init.normal_(network.codes.weight)  # taming initialises the codes within 1 / K of zero
    return network


def untrained_clip(name: str, *, resolution: int | None = None, depth: int | None = None) -> CLIP:
    """An official CLIP with random weights.

    resolution: input size in pixels (default: the official one)
    depth: layers of each encoder, or of each stage of a ResNet (default: the official ones)
    """
    embed_dim, own, layers, width, patch, text = _CLIPS[name]
    if depth:
        layers = depth if patch else (depth,) * len(layers)
    shape = embed_dim, resolution or own, layers, width, patch
    heads, text_layers = text // _HEAD, depth or _TEXT_LAYERS
    return CLIP(*shape, _CONTEXT, _VOCABULARY, text, heads, text_layers)
