"""CLIPs of open_clip: LAION, DataComp, FARE (robust), SigLIP. Needs the package open_clip_torch.

`open_clip:ViT-B-32/laion2b_s34b_b79k` names an architecture and its weights, by open_clip's tag or
a file's path; `open_clip:hf-hub:chs20/FARE4-ViT-B-32-laion2B-s34B-b79K` names a model on the Hugging
Face Hub. Each model has its own tokenizer, mean and std.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.download import FetchError, cache_folder, is_offline
from vqclip_nb.models.safe_load import WeightsError

PREFIX = "open_clip:"


class OpenClipPerceptor(Perceptor):
    """A CLIP whose model and tokenizer are open_clip's.

    model: an open_clip model; tokenizer: its tokenizer
    preprocess: open_clip's preprocessing config: size, mean, std
    """

    def __init__(self, name: str, model: Any, tokenizer: Any, preprocess: dict[str, Any]) -> None:
        self.name = name
        self.model = model.float().eval().requires_grad_(False)
        self._words = frozenset()
        size, mean, std = (preprocess[key] for key in ("size", "mean", "std"))
        self._set_input(size if isinstance(size, int) else max(size), mean, std)
        self.context_length = model.context_length
        self._tokenizer = tokenizer

    @property
    def embed_dim(self) -> int:
        """E, measured, because models store it in different places."""
        return self.encode_text("a").shape[1]

    def _encode(self, x: Tensor) -> Tensor:
        return self.model.encode_image(x)

    def _tokens(self, texts: list[str]) -> Tensor:
        return self._tokenizer(texts, context_length=self.context_length)

    def _cut_off(self, sentence: str) -> str:
        """The last words that can be removed without a change of the tokens."""
        words, whole = sentence.split(), self._tokens([sentence])
        if (whole[0, -1] == 0).item():  # padded, so nothing was cut off
            return ""
        kept = len(words)
        while kept and self._tokens([" ".join(words[: kept - 1])]).equal(whole):
            kept -= 1
        return " ".join(words[kept:])


def check_name(name: str) -> None:
    """Raise ValueError if the name is malformed or open_clip is not installed."""
    wanted, _, weights = name.removeprefix(PREFIX).partition("/")
    if not wanted or not weights:
        raise ValueError(
            f"clip is {name!r}: allowed is {PREFIX}MODEL/WEIGHTS or {PREFIX}hf-hub:OWNER/MODEL."
        )
    if importlib.util.find_spec("open_clip") is None:
        raise ValueError(f"clip is {name!r}, which needs a package: pip install open_clip_torch.")


def load_open_clip(name: str, offline: bool = False) -> OpenClipPerceptor:
    """Load a CLIP by its open_clip name; open_clip downloads it into our cache of official models.

    Raises WeightsError or FetchError.
    """
    import open_clip

    wanted, _, weights = name.removeprefix(PREFIX).partition("/")
    whole = wanted.startswith(("hf-hub:", "local-dir:"))
    wanted = name.removeprefix(PREFIX) if whole else wanted
    known = {} if whole else open_clip.get_pretrained_cfg(wanted, weights)
    if not whole and not known and not Path(weights).is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(wanted)) or "a file's path"
        raise WeightsError(f"clip is {name!r}: allowed for {wanted} is {tags}.")
    folder = cache_folder() / "open_clip"
    by_url = known.get("url") and not known.get("hf_hub")  # open_clip has no offline mode for these
    if by_url and is_offline(offline) and not (folder / Path(known["url"]).name).is_file():
        raise FetchError(
            f"{name} is not in {folder} and downloads are disabled (offline): load it once online."
        )
    try:
        with _hub_offline(is_offline(offline)):
            model = open_clip.create_model(
                wanted,
                pretrained=None if whole else weights,
                cache_dir=str(folder),
                force_quick_gelu=bool(known.get("quick_gelu")),
                require_pretrained=True,
            )
            tokenizer = open_clip.get_tokenizer(wanted, cache_dir=str(folder))
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{name} could not be loaded by open_clip: {first}") from error
    return OpenClipPerceptor(name, model, tokenizer, open_clip.get_model_preprocess_cfg(model))


@contextlib.contextmanager
def _hub_offline(offline: bool) -> Iterator[None]:
    """Set Hugging Face's offline switch, which it reads from the environment only at import."""
    if not offline or importlib.util.find_spec("huggingface_hub") is None:
        yield
        return
    from huggingface_hub import constants

    former, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = former
