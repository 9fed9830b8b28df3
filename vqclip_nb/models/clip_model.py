"""OpenAI's CLIP, which measures how well a picture matches a sentence.

CLIP: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
arXiv 2103.00020. Only this module and `vqclip_nb.train` import `clip`.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vqclip_nb.models.half_precision import cast, through
from vqclip_nb.models.words import Reading, Words

with warnings.catch_warnings():  # every packaging of clip imports the deprecated pkg_resources
    warnings.simplefilter("ignore")
    import clip
    from clip.model import CLIP as CLIP
    from clip.model import AttentionPool2d as AttentionPool2d
    from clip.model import build_model

_VOCABULARY = 49_408  # rows of CLIP's token table
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STAGES = ("avgpool", "layer1", "layer2", "layer3", "layer4")  # of CLIP's ResNets, in order
_STD = (0.26862954, 0.26130258, 0.27577711)


class Perceptor:
    """A frozen CLIP: embeds sentences and pictures in one space.

    model: a CLIP
    words: the words of its training captions and what is near to them, or None if they are unknown
    input_size: side of its input pictures, in pixels
    context_length: most tokens of a sentence, including the start and end tokens
    dtype: the data type of the image encoder
    """

    dtype = torch.float32
    interpolation = "bicubic"  # of pictures that have another size

    def __init__(self, name: str, model: CLIP, words: Words | None = None) -> None:
        self.name = name
        self.model = _optimized(model.float().eval()).requires_grad_(False)
        self._words = words
        self._set_input(self.model.visual.input_resolution, _MEAN, _STD)
        self.context_length: int = self.model.context_length

    def _set_input(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        self.input_size = size
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._std = torch.tensor(std).view(1, 3, 1, 1)

    @classmethod
    def from_state(
        cls, name: str, state: dict[str, Tensor], words: Words | None = None
    ) -> Perceptor:
        """A CLIP with the weights `state`, under OpenAI's key names."""
        return cls(name, _build_clip(expand_tokens(state)), words)

    def to(self, device: torch.device) -> Perceptor:
        """Move to a device; returns itself."""
        self.model.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        return self

    def use(self, dtype: torch.dtype) -> Perceptor:
        """Encode pictures in `dtype` from now on; returns itself."""
        if isinstance(self.model, CLIP):
            self.model.__class__ = _TextInFloat32
        cast(self.model.visual, dtype)
        self.dtype = dtype
        return self

    def _encode(self, x: Tensor) -> Tensor:
        """Normalised pictures [n, 3, S, S] of its input size to embeddings [n, E]."""
        return self.model.visual(x)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.model.logit_scale.device

    @property
    def embed_dim(self) -> int:
        """E, the size of an embedding."""
        return self.model.text_projection.shape[1]

    def tokenize(self, text: str | list[str]) -> Tensor:
        """Token ids [n, context_length] of the `known_part` of sentences.

        Longer sentences are cut, with a warning that shows the rest.
        """
        texts = [self.known_part(t) for t in ([text] if isinstance(text, str) else text)]
        for sentence in texts:
            lost = self._cut_off(sentence)
            if lost:
                warnings.warn(
                    f"{self.name} reads {self.context_length - 2} tokens; lost: {lost!r}.",
                    stacklevel=2,
                )
        return self._tokens(texts)

    def _tokens(self, texts: list[str]) -> Tensor:
        return clip.tokenize(texts, context_length=self.context_length, truncate=True)

    def encode_text(self, texts: str | list[str]) -> Tensor:
        """Encode sentences to raw embeddings [n, E], not normalised."""
        with torch.no_grad():
            return self.model.encode_text(self.tokenize(texts).to(self.device))

    def encode_image(self, x: Tensor) -> Tensor:
        """Encode pictures [n, 3, H, W] in [0,1], of any size, to raw embeddings [n, E]."""
        size = (self.input_size, self.input_size)
        if x.shape[-2:] != size:
            x = F.interpolate(x, size, mode=self.interpolation, antialias=True, align_corners=False)
        x = (x - self._mean) / self._std
        return through(self._encode, x, self.dtype, self._stages())

    def _stages(self) -> list[nn.Module]:
        """The stages of a convolutional image encoder, in order; empty for a transformer."""
        tower = getattr(self.model.visual, "trunk", self.model.visual)  # trunk: timm's
        named = [getattr(tower, name) for name in _STAGES if hasattr(tower, name)]
        return named or list(getattr(tower, "stages", ()))

    def known_words(self) -> list[str]:
        """The words of its training captions, sorted; empty if they are unknown."""
        return sorted(self._words.known) if self._words else []

    def unknown_words(self, text: str) -> list[str]:
        """Words of `text` that it ignores, which have no near word; empty if `known_words` is."""
        return self._read(text).unknown

    def replaced_words(self, text: str) -> dict[str, str]:
        """What it reads instead of words of `text`, e.g. {"limousine": "car"}.

        Other forms and spellings of a known word are left out.
        """
        return self._read(text).replaced

    def known_part(self, text: str) -> str:
        """What it reads of `text`: known words only; all of `text` if `known_words` is empty."""
        return self._read(text).text

    def suggested_words(self, text: str) -> dict[str, list[str]]:
        """For each unknown word of `text`, up to three known words with a similar spelling."""
        return {word: self._words.similar_spelling(word) for word in self.unknown_words(text)}

    def unknown_in_words(self, text: str) -> str:
        """The unknown words of `text` with their suggestions, to read; empty if it knows all."""
        unknown = []
        for word, similar in self.suggested_words(text).items():
            meant = f" (did you mean {' or '.join(similar)}?)" if similar else ""
            unknown.append(f"{word!r}{meant}")
        return ", ".join(unknown)

    def replaced_in_words(self, text: str) -> str:
        """The replaced words of `text`, to read: "'limousine' as 'car'"; empty if there are none."""
        return ", ".join(f"{w!r} as {near!r}" for w, near in self.replaced_words(text).items())

    def _read(self, text: str) -> Reading:
        return self._words.read(text) if self._words else Reading(text)

    def _cut_off(self, sentence: str) -> str:
        """The end of a sentence, which does not fit into the context."""
        tokens = clip.clip._tokenizer.encode(sentence)
        return clip.clip._tokenizer.decode(tokens[self.context_length - 2 :]).strip()


class _TextInFloat32(CLIP):
    """A CLIP whose text encoder stays in float32 while the image encoder is in half precision."""

    @property
    def dtype(self) -> torch.dtype:
        """The type of the token embeddings; in CLIP, it is that of the image encoder."""
        return self.token_embedding.weight.dtype


def _build_clip(state: dict[str, Tensor]) -> CLIP:
    """Same model as `clip.load(...).float()`, without the random initialisation.

    As in `clip`, linear layers and convolutions are rounded to fp16; the published files store them
    in fp16 anyway.
    """
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # copying into meta tensors does nothing, which is intended
        model = build_model(dict(state))
    weights = {
        name: state.get(name, torch.zeros(())).to(to.dtype)  # batch norm's counter may be missing
        for name, to in model.state_dict().items()
    }
    weights = {n: v.float() if v.is_floating_point() else v for n, v in weights.items()}
    model.load_state_dict(weights, assign=True)
    mask = model.build_attention_mask()
    for block in model.transformer.resblocks:
        block.attn_mask = mask
    return model


def _optimized(model: CLIP) -> CLIP:
    """Fuse batch norms into convolutions and use channels_last, which is faster."""
    for module in list(model.visual.modules()):
        children = list(module.named_children())
        for (name, first), (after, second) in itertools.pairwise(children):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
    model.visual.to(memory_format=torch.channels_last)
    return model


def expand_tokens(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Restore the full token embedding if only the rows used in training are stored."""
    state = dict(state)
    if "token_embedding.rows" in state:
        rows, ids = state.pop("token_embedding.rows"), state.pop("token_embedding.ids")
        table = torch.zeros(_VOCABULARY, rows.shape[1], dtype=rows.dtype)
        table[ids.long()] = rows
        state["token_embedding.weight"] = table
    return state
