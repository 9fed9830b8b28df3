"""Continue the training of the interim weights beside this file, with the recipe's settings.

python .ci/checkpoints/continue.py PART MINUTES FOLDER [RATE]

PART: generator, clip, lite or resnet; MINUTES: in total; RATE: learning rate, for the generator

One thread; resumes from FOLDER, which keeps drawings, pools and states, and gets the weights. The
rivals of CLIP are painted by FOLDER's VQGAN, or by the one beside this file.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import torch
from safetensors.torch import load_file

import vqclip_nb
from vqclip_nb.models.checkpoints import load_network
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.train.clip_trainer import CLIPTrainer
from vqclip_nb.train.compositions import JUDGE, PAIR, Cast, Drawings, load_drawings
from vqclip_nb.train.generator import GeneratorTrainer, write_vqgan, write_weights
from vqclip_nb.train.scene_pool import load_pool
from vqclip_nb.train.towers import lite_tower

HERE = Path(__file__).parent
RECIPE = tomllib.loads((Path(vqclip_nb.__file__).parent / "train" / "tiny.toml").read_text())
POOLED = 60_000


def drawings(folder: Path, owner: str) -> Drawings:
    """The drawings of the painter's artists or the judges'."""
    chosen, group = RECIPE["drawings"], {"painter": "a", "judges": "b"}[owner]
    return load_drawings(folder / "drawings", group, chosen[owner], chosen["names"])


def generator(minutes: float, folder: Path, rate: float) -> None:
    """Train the VQGAN on pictures of full size."""
    settings = RECIPE["generator"] | {"small_share": 0.0, "learning_rate": rate}
    trainer = GeneratorTrainer(settings, Cast(drawings(folder, "painter")), 256)
    if not (folder / "generator.pt").exists():
        saved = {k: v.float() for k, v in load_file(HERE / "vqgan.safetensors").items()}
        trainer.network.load_state_dict(trainer.network.state_dict() | saved)
        trainer.codes.begin_from_codes()
    trainer.train(folder / "generator.pt", minutes)
    write_vqgan(folder, trainer.state_dict(), trainer.config)


def clip(name: str, minutes: float, folder: Path) -> None:
    """Train CLIP, attacked from the start, or a judge."""
    judge = name != "clip"
    settings = RECIPE["judges"][name] if judge else RECIPE["clip"] | {"attacked_from": 0.0}
    drawn = drawings(folder, "judges" if judge else "painter")
    drawn = drawn.of_sources(settings["drawings"]) if judge else drawn
    shape = RECIPE["pool"] | {"number": POOLED, "styled": 0.33}
    pool = load_pool(folder / f"pool_{name}", drawn, **shape)
    own = folder / "vqgan.safetensors"
    vqgan = own if own.exists() else HERE / own.name
    rivals = None if judge else (VQGAN(load_network(vqgan)), Cast(drawn))
    visual = lite_tower(settings["architecture"]) if name == "lite" else None
    templates = JUDGE if judge else PAIR
    trainer = CLIPTrainer(settings, pool, templates, visual=visual, rivals=rivals)
    if not judge and not (folder / "clip.pt").exists():
        saved = {k: v.float() for k, v in load_file(HERE / "clip_images.safetensors").items()}
        for part, names in (
            (trainer.model, "model."),
            (trainer.average, "model."),
            (trainer.lexicon, "lexicon."),
        ):
            own = {k.removeprefix(names): v for k, v in saved.items() if k.startswith(names)}
            part.load_state_dict(part.state_dict() | own)
    trainer.train(folder / f"{name}.pt", minutes)
    write_weights(folder / f"{name}.safetensors", trainer.average.published())


def main() -> None:
    """Run one part."""
    torch.set_num_threads(1)
    name, minutes, folder, *rate = sys.argv[1:]
    if name == "generator":
        generator(float(minutes), Path(folder), float(*rate or [3e-4]))
    else:
        clip(name, float(minutes), Path(folder))


if __name__ == "__main__":
    main()
