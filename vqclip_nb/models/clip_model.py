"""The critic: OpenAI's CLIP, which tells how well a picture fits a sentence.

CLIP: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
arXiv 2103.00020. Only this module and the recipe import `clip`.
"""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vqclip_nb.models.half_precision import cast, through

with warnings.catch_warnings():  # every packaging of clip imports the deprecated pkg_resources
    warnings.simplefilter("ignore")
    import clip
    from clip.model import CLIP as CLIP
    from clip.model import AttentionPool2d as AttentionPool2d
    from clip.model import build_model

_VOCABULARY = 49_408  # rows of CLIP's token table
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STAGES = ("avgpool", "layer1", "layer2", "layer3", "layer4")  # of CLIP's ResNets
_STD = (0.26862954, 0.26130258, 0.27577711)


class Perceptor:
    """A frozen critic: sentences and pictures to embeddings in one space.

    model: a CLIP
    words: the words that it has seen in training; empty where nobody knows them
    input_size: pixels a side of the pictures that it looks at; mean, std: how they are normalised
    context_length: tokens of a sentence that it reads, with the two that mark its ends
    dtype: the number format in which it looks at pictures
    """

    dtype = torch.float32

    def __init__(self, name: str, model: CLIP, words: list[str] | None = None) -> None:
        self.name = name
        self.model = _quickened(model.float().eval()).requires_grad_(False)
        self._words = frozenset(words or ())
        self._see(self.model.visual.input_resolution, _MEAN, _STD)
        self.context_length: int = self.model.context_length

    def _see(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        self.input_size = size
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._std = torch.tensor(std).view(1, 3, 1, 1)

    @classmethod
    def from_state(
        cls, name: str, state: dict[str, Tensor], words: list[str] | None = None
    ) -> Perceptor:
        """The critic whose CLIP has the weights `state`, under OpenAI's key names."""
        return cls(name, _built(expanded(state)), words)

    def to(self, device: torch.device) -> Perceptor:
        """Move to a device; returns itself."""
        self.model.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        return self

    def use(self, dtype: torch.dtype) -> Perceptor:
        """Look at pictures in this number format from now on; returns itself."""
        if isinstance(self.model, CLIP):
            self.model.__class__ = _ReadsInFull
        cast(self.model.visual, dtype)
        self.dtype = dtype
        return self

    def _look(self, x: Tensor) -> Tensor:
        """Normalised pictures of its size to embeddings."""
        return self.model.visual(x)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.logit_scale.device

    @property
    def embed_dim(self) -> int:
        """E of the embeddings."""
        return self.model.text_projection.shape[1]

    def tokenize(self, text: str | list[str]) -> Tensor:
        """Token ids [n, context_length]; what is too long is cut, with a warning that shows it."""
        texts = [text] if isinstance(text, str) else list(text)
        for sentence in texts:
            lost = self._lost(sentence)
            if lost:
                warnings.warn(
                    f"{self.name} reads {self.context_length - 2} tokens; lost: {lost!r}.",
                    stacklevel=2,
                )
        return self._tokens(texts)

    def _tokens(self, texts: list[str]) -> Tensor:
        return clip.tokenize(texts, context_length=self.context_length, truncate=True)

    def encode_text(self, texts: str | list[str]) -> Tensor:
        """Sentences to raw embeddings [n, E]."""
        with torch.no_grad():
            return self.model.encode_text(self.tokenize(texts).to(self.device))

    def encode_image(self, x: Tensor) -> Tensor:
        """Pictures [n, 3, H, W] in [0,1] of any size to raw embeddings [n, E]."""
        size = (self.input_size, self.input_size)
        if x.shape[-2:] != size:
            x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
        x = (x - self._mean) / self._std
        return through(self._look, x, self.dtype, self._stages())

    def _stages(self) -> list[nn.Module]:
        """The stages of a convolutional tower, from the picture on; none in a transformer."""
        tower = getattr(self.model.visual, "trunk", self.model.visual)  # trunk: timm's
        named = [getattr(tower, name) for name in _STAGES if hasattr(tower, name)]
        return named or list(getattr(tower, "stages", ()))

    def known_words(self) -> list[str]:
        """Words seen in training, sorted; empty if nobody kept a list of them."""
        return sorted(self._words)

    def unknown_words(self, text: str) -> list[str]:
        """Words of `text` that were never seen in training; empty where `known_words` is."""
        if not self._words:
            return []
        return [word for word in _words_of(text) if word not in self._words]

    def known_part(self, text: str) -> str:
        """The words of `text` that were seen in training; all of it where nobody knows them."""
        if not self._words:
            return text
        return " ".join(word for word in _words_of(text) if word in self._words)

    def suggested_words(self, text: str) -> dict[str, list[str]]:
        """For each unknown word of `text` up to three known ones that are spelt like it."""
        known = self.known_words()
        return {
            w: difflib.get_close_matches(w, known, cutoff=0.7) for w in self.unknown_words(text)
        }

    def _lost(self, sentence: str) -> str:
        """The end of a sentence that does not fit into the context."""
        tokens = clip.clip._tokenizer.encode(sentence)
        return clip.clip._tokenizer.decode(tokens[self.context_length - 2 :]).strip()


class _ReadsInFull(CLIP):
    """A CLIP whose text tower stays in float32 when the one for pictures does not."""

    @property
    def dtype(self) -> torch.dtype:
        """What tokens are embedded in; CLIP takes the other tower's."""
        return self.token_embedding.weight.dtype


def _built(state: dict[str, Tensor]) -> CLIP:
    """What `clip.load(...).float()` gives, without the numbers that it would first draw.

    Linear layers and convolutions are rounded to fp16 on the way, as `clip` does it; the published
    files hold them in fp16 anyway.
    """
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing is copied into a model without numbers
        model = build_model(dict(state))
    numbers = {
        name: state.get(name, torch.zeros(())).to(to.dtype)  # batch norm's counter may be missing
        for name, to in model.state_dict().items()
    }
    numbers = {n: v.float() if v.is_floating_point() else v for n, v in numbers.items()}
    model.load_state_dict(numbers, assign=True)
    mask = model.build_attention_mask()
    for block in model.transformer.resblocks:
        block.attn_mask = mask
    return model


def _quickened(model: CLIP) -> CLIP:
    """The same function in less time.

    A frozen batch norm is a part of the convolution before it; and convolutions are quicker over
    pixels whose channels lie side by side.
    """
    for module in list(model.visual.modules()):
        children = list(module.named_children())
        for (name, first), (after, second) in itertools.pairwise(children):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
    model.visual.to(memory_format=torch.channels_last)
    return model


def _words_of(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c in "-'’" else " " for c in text.lower()).split()


def expanded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The token table in full, where only the rows that training saw were stored."""
    state = dict(state)
    if "token_embedding.rows" in state:
        rows, ids = state.pop("token_embedding.rows"), state.pop("token_embedding.ids")
        table = torch.zeros(_VOCABULARY, rows.shape[1], dtype=rows.dtype)
        table[ids.long()] = rows
        state["token_embedding.weight"] = table
    return state
