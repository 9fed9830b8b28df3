"""The official architectures with random weights: to measure them where nothing shall be fetched.

How long an iteration takes and what it keeps depends on the shapes of the weights alone.
"""

from __future__ import annotations

import torch

from vqclip_nb.models import Models, pick_device
from vqclip_nb.perceptor import CLIP, Perceptor
from vqclip_nb.precision import pick_precision
from vqclip_nb.registry import entry
from vqclip_nb.settings import Settings
from vqclip_nb.vqgan import VQGAN, Network

# embed_dim, then of the image tower: resolution, layers, width, patch; of the text tower: context,
# vocabulary, width, heads, layers (as `clip.load` reads them off the published files)
_TEXT = 77, 49_408, 512, 8, 12
_CLIPS = {
    "ViT-B/32": (512, 224, 12, 768, 32, *_TEXT),
    "ViT-B/16": (512, 224, 12, 768, 16, *_TEXT),
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, *_TEXT),
}


def untrained(settings: Settings) -> Models:
    """The pair that the settings name; ValueError where its architecture is not known here."""
    found, device = entry("vqgan", settings.models), pick_device(settings.device)
    if found is None or found.embedded:
        raise ValueError(f"models is {settings.models!r}: untrained are the official ones alone.")
    names = settings.clip or tuple(found.clip)
    for name in names:
        if name not in _CLIPS:
            raise ValueError(f"clip is {name!r}: untrained are {', '.join(_CLIPS)}.")
    dtype = pick_precision(settings.precision, device)
    torch.manual_seed(0)
    gumbel = found.layout.startswith("gumbel")
    network = Network(found.config, discriminator=False, gumbel=gumbel)
    vqgan = VQGAN(network.to(device)).use(dtype)
    perceptors = [Perceptor(name, CLIP(*_CLIPS[name])).to(device).use(dtype) for name in names]
    return Models(settings.models, settings.clip, vqgan, perceptors, device, settings.precision)
