"""What a picture shows, and which of it a sentence mentions."""

from __future__ import annotations

from dataclasses import dataclass

from vqclip_nb.models.draft.place import Place

KINDS = ("scene", "plain", "portrait", "still life", "pattern", "landscape")
RELATIONS = (
    "next to",
    "near",
    "and",
    "above",
    "below",
    "under",
    "on",
    "in",
    "in front of",
    "behind",
)
RELATIONS += ("between", "wearing", "riding", "holding", "with")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "grey", "black")
COLOURS += ("white",)
BACKGROUNDS = (*COLOURS, "turquoise", "light blue", "dark blue", "dark green", "beige")
TRAITS = {"place": "name", "time": "time", "weather": "weather", "season": "season"}


@dataclass(frozen=True)
class Item:
    """A thing in a caption: a noun, and colour and size if they are mentioned.

    size: "small" or "large"
    """

    name: str
    colour: str | None = None
    size: str | None = None
    number: int = 1


@dataclass(frozen=True)
class Composition:
    """What the caption of a picture says; the picture can show more.

    kind: one of `KINDS`
    items: none in a landscape, otherwise one to three
    relation: between the first item and the second, one of `RELATIONS`
    place, say: the place, and which of its traits are mentioned
    how: the things "stand", are "afloat", "fly" or "swim" there
    background: a colour
    style: one of `models.styles.STYLES`
    """

    kind: str
    items: tuple[Item, ...] = ()
    relation: str | None = None
    place: Place | None = None
    say: tuple[str, ...] = ()
    how: str = "stand"
    background: str | None = None
    style: str | None = None


def facts(composition: Composition) -> dict[str, object]:
    """All that is mentioned: "thing 0", "colour 0", "relation", "time", …"""
    found: dict[str, object] = {}
    for i, item in enumerate(composition.items):
        found[f"thing {i}"] = item.name
        for field in ("colour", "size"):
            if getattr(item, field):
                found[f"{field} {i}"] = getattr(item, field)
        if item.number > 1:
            found[f"number {i}"] = item.number
    for field in ("relation", "background", "style"):
        if getattr(composition, field):
            found[field] = getattr(composition, field)
    for fact, trait in TRAITS.items():
        if composition.place and trait in composition.say:
            found[fact] = getattr(composition.place, trait)
    return found
