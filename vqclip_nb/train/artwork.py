"""The training drawings of the embedded models: emoji artwork with names and tags.

The artwork comes from npm packages (licences: `tiny/LICENSES.md`), is rasterised once and cached
outside the project.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

# Sampling weights of emojibase's groups and subgroups: high for common prompts (animals and plants
# 3, food 4, places and weather 5), low for faces and signs. Flags, keycaps and most symbols are
# omitted, because a 64-pixel CLIP cannot read text; hearts (14) and coloured shapes (96) are kept.
_GROUPS = {0: 0.3, 1: 0.1, 3: 3.0, 4: 3.0, 5: 2.0, 6: 1.0, 7: 0.7}
_SUBGROUPS = {14: 1.5, 58: 0.4, 96: 1.5}
_CLOCK_FACES = ("o’clock", "o'clock", "thirty")
# People usually name a thing by one word (Rosch's basic level: "penguin", "house"), so that longer
# names ("snow-capped mountain") get a lower weight. These words do not count as part of a name.
_PLAIN_WORDS = {"face", "red", "orange", "yellow", "green", "blue", "purple", "brown", "black"}
_PLAIN_WORDS |= {"white", "baby", "full", "crescent", "deciduous", "evergreen", "hot"}
# the usual meaning of words that are the name of several drawings or of none
_MEANT = {
    "tree": "deciduous tree", "flower": "tulip", "heart": "red heart", "book": "closed book",
    "pumpkin": "jack-o-lantern", "shoe": "running shoe", "ball": "soccer ball",
    "clock": "alarm clock", "boat": "sailboat", "face": "grinning face", "beer": "beer mug",
    "smile": "slightly smiling face", "cheese": "cheese wedge", "cake": "birthday cake",
    "phone": "mobile phone", "computer": "desktop computer", "beach": "beach with umbrella",
    "rain": "cloud with rain", "sea": "water wave", "drink": "tropical drink",
    "fruit": "red apple", "apple": "red apple", "food": "pizza", "night": "night with stars",
    "music": "musical notes", "christmas": "christmas tree", "love": "red heart",
    "wine": "wine glass", "coffee": "hot beverage", "tea": "teacup without handle",
    "water": "droplet", "gift": "wrapped gift", "present": "wrapped gift",
    "knife": "kitchen knife", "dinosaur": "sauropod", "bee": "honeybee", "moon": "crescent moon",
    "square": "red square", "circle": "red circle", "sunshine": "sun", "plant": "potted plant",
    "leaf": "maple leaf", "hat": "top hat", "sword": "dagger", "diamond": "gem stone",
    "shirt": "t-shirt", "sock": "socks", "bag": "handbag", "lightning": "high voltage",
    "king": "crown", "snowflake": "snowflake", "car": "automobile",
}  # fmt: skip
# "woman teacher", "man teacher", "teacher": the variants of a drawing get a low weight
_VARIANTS = ("man ", "woman ", "men ", "women ", "family", "couple", "kiss ", "mx ")


@dataclass(frozen=True)
class Artwork:
    """Drawings and the concepts that they show.

    drawings: uint8 [N, 4, size, size], RGBA, not premultiplied
    concept: int64 [N], the concept of each drawing
    names: name of each concept, e.g. "red apple"
    tags: further words for each concept, e.g. ["fruit"]
    weights: float [concepts], sampling weights of the concepts
    """

    drawings: torch.Tensor
    concept: torch.Tensor
    names: list[str]
    tags: list[list[str]]
    weights: torch.Tensor

    def phrases(self) -> list[str]:
        """All names and tags."""
        return [*self.names, *(tag for tags in self.tags for tag in tags)]

    @cached_property
    def meant(self) -> dict[str, int]:
        """The most likely concept for each name, tag and last word of a name.

        A name means its own concept. Otherwise, last words take precedence over tags, and frequent
        concepts over rare ones.
        """
        best: dict[str, tuple[float, int]] = {}
        for concept, (name, weight) in enumerate(
            zip(self.names, self.weights.tolist(), strict=True)
        ):
            words = name.split()
            scores = dict.fromkeys(self.tags[concept], weight / len(words))
            scores |= {words[-1]: 3 * weight / len(words), name.removesuffix(" face"): 2 * weight}
            for phrase, score in (scores | {name: 100 * weight}).items():
                if score > best.get(phrase, (0.0, 0))[0]:
                    best[phrase] = score, concept
        meant = {phrase: concept for phrase, (_, concept) in best.items()}
        return meant | {
            word: self.names.index(name) for word, name in _MEANT.items() if name in self.names
        }


def load_artwork(packages: list[str], names: str, size: int, cache: Path) -> Artwork:
    """Download, rasterise and name the drawings of npm packages; cached in the folder `cache`."""
    concepts = emoji_concepts(_fetch(names, cache))
    called = {_letters(name): code for code, (name, _, _) in concepts.items()}
    drawings, owner = [], []
    for package in packages:
        pictures, hexcodes = _rasterise(_fetch(package, cache), size, called)
        for picture, code in zip(pictures, hexcodes, strict=True):
            if code in concepts:
                drawings.append(picture)
                owner.append(code)
    drawn = sorted(set(owner))
    index = {code: i for i, code in enumerate(drawn)}
    return Artwork(
        drawings=torch.from_numpy(np.stack(drawings)),
        concept=torch.tensor([index[code] for code in owner]),
        names=[concepts[code][0] for code in drawn],
        tags=[concepts[code][1] for code in drawn],
        weights=torch.tensor([concepts[code][2] for code in drawn]),
    )


def _fetch(package: str, cache: Path) -> Path:
    """Unpack the npm package `name@version` below `cache`; the npm client verifies its checksum."""
    target = cache / package.replace("/", "-").replace("@", "_")
    if target.exists():
        return target / "package"
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"{package} cannot be downloaded without npm: install Node.js.")
    cache.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        [npm, "pack", package, "--silent", "--pack-destination", str(cache)],
        check=True,
        capture_output=True,
        text=True,
    )
    archive = cache / packed.stdout.strip().splitlines()[-1]
    part = target.with_name(target.name + ".part")
    with tarfile.open(archive) as tar:
        tar.extractall(part, filter="data")  # "data" refuses paths that leave the folder
    part.rename(target)
    archive.unlink()
    return target / "package"


def _key(hexcode: str) -> str:
    """A hexcode without the variation selector FE0F, comparable between the sets."""
    return hexcode.upper().replace("-FE0F", "")


def _letters(name: str) -> str:
    """The letters and digits of a name, in which icons and emoji agree."""
    return "".join(c for c in name if c.isalnum())


def emoji_concepts(folder: Path) -> dict[str, tuple[str, list[str], float]]:
    """Map the hexcode of each emoji that shows something to its name, tags and weight."""
    concepts = {}
    for entry in json.loads((folder / "en" / "data.json").read_text()):
        group, name = entry.get("group"), _clean(entry["label"])
        weight = _SUBGROUPS.get(entry.get("subgroup"), _GROUPS.get(group))
        if weight is None or any(word in name for word in _CLOCK_FACES):
            continue
        tags = [tag for tag in map(_clean, entry.get("tags", [])) if len(tag) > 2 and tag != name]
        if name.startswith(_VARIANTS):
            weight = min(weight, 0.05)
        elif len([word for word in name.split() if word not in _PLAIN_WORDS]) > 1:
            weight *= 0.1
        concepts[_key(entry["hexcode"])] = (name, tags, weight)
    return concepts


def _clean(label: str) -> str:
    kept = (c if c.isalnum() or c in " -’'" else " " for c in label.lower())
    return " ".join("".join(kept).split())


def _rasterise(folder: Path, size: int, called: dict[str, str]) -> tuple[np.ndarray, list[str]]:
    """Rasterise the visible icons of an iconify package: uint8 [N, 4, size, size], and hexcodes.

    called: hexcodes by the letters of names, for packages that do not list characters
    """
    saved = folder / f"rgba_{size}.npz"
    if saved.exists():
        with np.load(saved) as file:
            return file["pictures"], file["hexcodes"].tolist()
    icons = json.loads((folder / "icons.json").read_text())
    listed = json.loads((folder / "chars.json").read_text())
    if not listed:
        names = {called.get(_letters(name)): name for name in icons["icons"]}
        listed = {code: name for code, name in names.items() if code is not None}
    pictures, hexcodes = [], []
    for hexcode, name in tqdm(listed.items(), "drawing"):
        icon = icons["icons"].get(name)
        if icon is None or icon.get("hidden"):
            continue
        pictures.append(_draw(icon, icons, size))
        hexcodes.append(_key(hexcode))
    stacked = np.stack(pictures)
    np.savez_compressed(saved, pictures=stacked, hexcodes=np.array(hexcodes))
    return stacked, hexcodes


def _draw(icon: dict, icons: dict, size: int) -> np.ndarray:
    """Rasterise an icon to uint8 [4, size, size], padding its view box to a square."""
    import resvg_py

    width, height = icon.get("width", icons["width"]), icon.get("height", icons["height"])
    side = max(width, height)
    left = icon.get("left", 0) - (side - width) / 2
    top = icon.get("top", 0) - (side - height) / 2
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {side} {side}" width="{size}" height="{size}">{icon["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).transpose(2, 0, 1)
