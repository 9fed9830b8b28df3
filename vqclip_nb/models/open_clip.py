"""CLIPs of open_clip: LAION, DataComp, FARE (robust), SigLIP. Needs the package open_clip_torch.

Some are registered, so that their short names are enough, e.g. `FARE4-B/32`. Others have long ones:
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
from torchvision.transforms.functional import center_crop

from vqclip_nb.models.checkpoints import check_finite
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.download import Download, FetchError, cache_folder, fetch, is_offline
from vqclip_nb.models.errors import WeightsError
from vqclip_nb.models.registry import RegisteredModel, ensure_cached
from vqclip_nb.models.safe_load import read_tensors

PREFIX = "open_clip:"


class OpenClipPerceptor(Perceptor):
    """A CLIP whose model and tokenizer are open_clip's.

    model: an open_clip model; tokenizer: its tokenizer
    preprocess: open_clip's preprocessing config: size, mean and std, with `resize_mode` (`shortest`:
        crop pictures that are not square to their middle; else squash them) and `interpolation`
    """

    def __init__(self, name: str, model: Any, tokenizer: Any, preprocess: dict[str, Any]) -> None:
        self.name = name
        self.model = model.float().eval().requires_grad_(False)
        self._words = frozenset()
        size, mean, std = (preprocess[key] for key in ("size", "mean", "std"))
        self._set_input(size if isinstance(size, int) else max(size), mean, std)
        self._crops = preprocess.get("resize_mode") == "shortest"
        self.interpolation = preprocess.get("interpolation", self.interpolation)
        self.context_length = model.context_length
        self._tokenizer = tokenizer

    @property
    def embed_dim(self) -> int:
        """E, measured, because models store it in different places."""
        return self.encode_text("a").shape[1]

    def encode_image(self, x: Tensor) -> Tensor:
        """Encode pictures [n, 3, H, W] in [0,1], of any size, to raw embeddings [n, E]."""
        if self._crops and x.shape[-2] != x.shape[-1]:
            x = center_crop(x, min(x.shape[-2:]))
        return super().encode_image(x)

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
    _require("open_clip", "open_clip_torch", name)


def check_packages(model: RegisteredModel) -> None:
    """Raise ValueError if a package that a registered CLIP of open_clip needs is missing."""
    _require("open_clip", "open_clip_torch", model.name)
    if model.tokenizer:
        _require("transformers", "transformers", model.name)


def _require(module: str, package: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ValueError(f"clip is {name!r}, which needs a package: pip install {package}.")


def load_registered(model: RegisteredModel, offline: bool = False) -> tuple[Perceptor, str]:
    """Load a registered CLIP of open_clip, and the checksum of its file.

    It is downloaded unless it is cached. Raises WeightsError or FetchError.
    """
    import open_clip

    tokenizer = _tokenizer_of(model, offline)
    file, checksum = ensure_cached(model, offline, _validated)
    try:
        built = open_clip.create_model(model.open_clip, pretrained=str(file))
    except (RuntimeError, KeyError) as error:
        file.unlink()
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{model.name} does not fit open_clip's {model.open_clip} ({first}): load it again, or "
            "get another copy of it."
        ) from error
    how = open_clip.get_model_preprocess_cfg(built) | {"mean": model.mean, "std": model.std}
    resize_mode = "shortest" if model.resize == "crop" else "squash"
    how |= {"resize_mode": resize_mode, "interpolation": model.interpolation}
    return OpenClipPerceptor(model.name, built, tokenizer, how), checksum


def _validated(original: Path) -> dict[str, Tensor]:
    """The tensors of a published file, read without executing code from it."""
    state = read_tensors(original)
    check_finite(state, original)
    return state


def _tokenizer_of(model: RegisteredModel, offline: bool) -> Any:
    """Its tokenizer: CLIP's, which open_clip contains, or one whose files are fetched."""
    import open_clip
    from open_clip.tokenizer import HFTokenizer

    if not model.tokenizer:
        return open_clip.get_tokenizer(model.open_clip)
    folder = model.path.with_suffix(".tokenizer")
    for name, sha256 in model.tokenizer.items():
        if is_offline(offline) and not (folder / name).is_file():
            raise FetchError(
                f"{name} of {model.name} is not in {folder} and downloads are disabled (offline): "
                "load the model once online."
            )
        urls = [url.rpartition("/")[0] + f"/{name}" for url in model.urls]
        fetch(Download(folder / name, urls, sha256), Path.read_bytes)
    text = open_clip.get_model_config(model.open_clip)["text_cfg"]
    return HFTokenizer(
        str(folder), context_length=text["context_length"], **text.get("tokenizer_kwargs", {})
    )


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
