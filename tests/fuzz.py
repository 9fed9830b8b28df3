"""Coverage-guided fuzzing of what reads untrusted bytes: `pip install atheris`, then

    python tests/fuzz.py pickle|archive|picture|prompt|settings [SECONDS] [FOLDER]

Inputs that reach new code are kept in FOLDER, so that a later run goes on from there. What fails is
written beside it as `crash-…`; each such find becomes a case in tests/hostile. A refusal must be one
sentence in a ValueError, within ten seconds; the process, torch included, may take 2.5 GB.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris
import torch
from PIL import Image

with atheris.instrument_imports(include=["vqclip_nb"]):
    from vqclip_nb.models.errors import WeightsError
    from vqclip_nb.models.inert_pickle import read_pickle
    from vqclip_nb.models.safe_load import read_tensors
    from vqclip_nb.pictures import as_png, open_picture, provenance_in
    from vqclip_nb.prompt_syntax import parse_augments, parse_story
    from vqclip_nb.settings import Settings

_SETTINGS = Settings(prompt="a red apple:2 | a dog:-1 ^ noise#7", extras="neon", seed=3)
_RECORD = json.dumps({"settings": _SETTINGS.to_dict() | {"updates": []}, "updates": []}).encode()


def _saved() -> bytes:
    """A small checkpoint as torch writes it."""
    file = io.BytesIO()
    torch.save({"state_dict": {"a.weight": torch.ones(2, 3), "b": torch.zeros(1)}}, file)
    return file.getvalue()


def _pickled() -> bytes:
    with zipfile.ZipFile(io.BytesIO(_saved())) as archive:
        return archive.read(next(name for name in archive.namelist() if "data.pkl" in name))


def _archive(data: bytes) -> None:
    file = Path(tempfile.gettempdir()) / "fuzzed.ckpt"
    file.write_bytes(data)
    read_tensors(file)


def _picture(data: bytes) -> None:
    text = provenance_in(open_picture(data, "it"))
    if text:
        Settings.from_provenance(text, "it")


def _prompt(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parse_augments(text)
    Settings(prompt=text, story_window=len(data) % 5)
    parse_story(text)


def _settings(data: bytes) -> None:
    Settings.from_provenance(data, "it")
    Settings.from_json(data.decode("utf-8", "replace"))


TARGETS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "pickle": (read_pickle, [_pickled()]),
    "archive": (_archive, [_saved()]),
    "picture": (_picture, [as_png(Image.new("RGB", (4, 4)), json.loads(_RECORD))]),
    "prompt": (_prompt, [b"a cat:2 | a dog:-1 ^ noise#7", b"only Ro Pe affine:15 erase:0.3"]),
    "settings": (_settings, [_RECORD, json.dumps(_SETTINGS.to_dict()).encode()]),
}


def _checked(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def once(data: bytes) -> None:
        try:
            read(data)
        except (ValueError, WeightsError) as refused:
            said = str(refused)
            if isinstance(refused, UnicodeError) or not said or "\n" in said or len(said) > 1500:
                raise AssertionError(f"not one sentence: {said!r}") from refused

    return once


def main() -> None:
    name, seconds, folder = [*sys.argv[1:], *["600", "fuzzed"][len(sys.argv) - 2 :]]
    read, seeds = TARGETS[name]
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = ["-timeout=10", "-rss_limit_mb=2500", f"-max_total_time={seconds}", "-max_len=20000"]
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-artifact_prefix={folder}/", *limits], _checked(read)
    )
    with contextlib.suppress(SystemExit):
        atheris.Fuzz()


if __name__ == "__main__":
    main()
