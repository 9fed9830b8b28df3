"""Falsifies exactly one fact of a composition, so that its caption is false."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

from vqclip_nb.models.draft.composition import (
    COLOURS,
    TRAITS,
    Composition,
    Item,
    facts,
)
from vqclip_nb.models.draft.things import all_things, things_called
from vqclip_nb.models.styles import STYLES
from vqclip_nb.train.compositions.nouns import is_plural
from vqclip_nb.train.places import other as other_place

# Each relation with those that are false where it is true. A relation that is true in many pictures
# ("near", "with") can be falsified, but is no falsehood itself.
CONTRADICTIONS = {
    "next to": ("above", "below", "on", "in"),
    "near": ("above", "below", "on", "in"),
    "and": ("above", "below", "on", "in"),
    "above": ("below", "next to", "in"),
    "below": ("above", "next to", "on"),
    "under": ("above", "on", "in"),
    "on": ("below", "next to", "in"),
    "in": ("next to", "above", "below"),
    "in front of": ("behind", "above", "on"),
    "behind": ("in front of", "above", "on"),
    "between": ("on", "above", "below"),
    "wearing": ("next to",),
    "riding": ("next to", "below", "behind"),
    "holding": ("on",),
    "with": (),
}
# similar colours, which are never swapped
_NEAR = ({"red", "orange"}, {"red", "pink"}, {"orange", "yellow"}, {"orange", "brown"})
_NEAR += ({"purple", "pink"}, {"purple", "dark blue"}, {"grey", "black"}, {"grey", "white"})
_NEAR += ({"blue", "light blue", "dark blue", "turquoise"}, {"green", "dark green"})
_NEAR += ({"green", "turquoise"}, {"beige", "white"}, {"beige", "yellow"}, {"beige", "pink"})
_NEAR += ({"black", "dark blue"}, {"black", "dark green"}, {"brown", "beige"}, {"brown", "red"})
# Names that can be true of the same drawing; none replaces another in a false caption.
_FAMILIES = tuple(
    frozenset(names.split(";"))
    for names in (
        "cat;kitten;black cat", "dog;poodle;bulldog", "mouse;rat;hamster",
        "hen;rooster;chick;turkey;chicken", "cow;bull;ox;water buffalo;bison",
        "deer;fawn;moose;antelope;reindeer", "monkey;gorilla;orangutan;baboon",
        "leopard;cheetah;tiger", "squirrel;chipmunk;beaver", "sheep;ram;goat", "pig;wild boar",
        "dinosaur;t-rex;stegosaurus;triceratops;pterodactyl;plesiosaur;dragon;lizard",
        "lizard;salamander;crocodile", "dolphin;shark;whale;killer whale;shark fin;whale tail",
        "fly;bee;wasp;mosquito;ladybug;beetle;cricket;grasshopper;ant;cockroach;dragonfly",
        "shrimp;crayfish;crab", "angel;fairy", "alien;ufo", "robot;knight;astronaut",
        "bouquet;roses;rose;flower", "horse;pegasus;centaur;carousel horse;unicorn;donkey",
        "car;taxi;jeep;police car;sports car;racing car;van;pickup truck;truck",
        "truck;dump truck;cement mixer truck;fire engine;ambulance;van",
        "train;steam train;high-speed train;monorail;tram;railway carriage;toy train;bus",
        "bicycle;motorcycle;scooter;kick scooter;cyclist", "house;houses;cottage;hut;chalet;shop",
        "house;log cabin;townhouse;haunted house;fairy house;mushroom house;barn",
        "tower;clock tower;watchtower;radio tower;water tower;lighthouse;eiffel tower;tokyo tower",
        "office building;apartment building;skyscraper;hotel;city;bank;hospital;school;factory",
        "temple;shinto gate;pagoda;bank;parliament;japanese castle;castle;mosque;church;synagogue",
        "bread;baguette;croissant", "cake;cake slice;birthday cake;wedding cake;shortcake;cupcake",
        "mug;teacup;cup of tea;coffee cup;paper coffee cup",
        "moon;full moon;half moon;moon and stars",
        "moon;crescent moon;planet;earth;mars;jupiter;venus;saturn",
        "star;sun;shooting star;meteor",
        "mushroom;toadstool", "fire;campfire;flaming torch;candle", "mountain;volcano;landscape",
        "wine bottle;bottle;champagne bottle;sake bottle;glass of wine",
        "ice cream;ice cream sundae",
        "book;books;open book;notebook;notepad", "bowl;bowl of rice;soup;noodles;stew;salad",
        "ball;soccer ball;beach ball;basketball;volleyball;tennis ball;baseball", "cloud;clouds",
        "leaf;maple leaf;oak leaf;autumn leaf;herb", "shamrock;four-leaf clover",
        "sword;dagger;knife",
        "guitar;electric guitar;banjo;violin;cello", "drum;djembe;drum kit", "vase;amphora;urn",
        "lemon;lime;orange;lemon slice;lime slice;orange slice",
        "fried egg;egg;boiled egg;easter egg",
        "chair;office chair;egg chair;seat", "table;desk", "basket;shopping basket;waste basket",
    )
)  # fmt: skip
_BIRDS = "bird;dove;pigeon;crow;raven;seagull;swallow;eagle;owl;hummingbird;woodpecker;parrot;duck;"
_BIRDS += "swan;goose;chick;hen;rooster;turkey;penguin;flamingo;peacock;ostrich;dodo;phoenix"
_FISH = "fish;angelfish;anglerfish;goldfish;pufferfish;tropical fish;shark"
# General names, and the names or the kinds that they are true of: they do not replace each other.
_GENERAL = (
    ("bird;black bird", _BIRDS),
    ("fish", _FISH),
    ("man;woman;boy;girl;baby;old man;old woman;man with cap;groom;bride", "person"),
    ("flower;white flower;blossom;potted flower;bouquet;tree;herb;leaf;seedling;grass", "plant"),
    ("boat;ship;yacht;cruise ship;motorboat", "vehicle/water"),
    ("hat;shoe;boot;shirt", "clothing"),
)
_OPPOSITES = {"man": "woman", "woman": "man", "boy": "girl", "girl": "boy", "king": "queen"}


def with_error(composition: Composition, rng: random.Random) -> Composition:
    """The same with exactly one fact changed, so that its caption is false.

    Facts that have no clear opposite, such as sizes, are never chosen.
    """
    names = list(facts(composition))
    rng.shuffle(names)
    names.sort(key=lambda fact: fact.startswith("size"))
    for fact in names:
        wrong = _with_wrong(composition, fact, rng)
        if wrong is not None:
            return wrong
    raise ValueError(f"nothing in {composition} can be wrong")


def _with_wrong(composition: Composition, fact: str, rng: random.Random) -> Composition | None:
    kind, _, index = fact.partition(" ")
    if kind in TRAITS:
        try:
            return replace(composition, place=other_place(composition.place, TRAITS[kind], rng))
        except ValueError:
            return None
    if kind == "relation":
        others = CONTRADICTIONS[composition.relation]
        return replace(composition, relation=rng.choice(others)) if others else None
    if kind == "background":
        return replace(composition, background=other_colour(composition.background, rng))
    if kind == "style":
        others = [style for style in STYLES if style != composition.style]
        return replace(composition, style=rng.choice(others))
    if kind == "size":
        return None
    item = composition.items[int(index)]
    if kind == "thing":
        said = tuple(each.name for each in composition.items)
        changed = replace(item, name=_other_name(item, said, rng))
    elif kind == "colour":
        changed = replace(item, colour=other_colour(item.colour, rng))
    else:
        changed = replace(item, number=rng.choice([n for n in range(2, 6) if n != item.number]))
    items = list(composition.items)
    items[int(index)] = changed
    return replace(composition, items=tuple(items))


def other_colour(colour: str, rng: random.Random) -> str:
    """A colour that is clearly different."""
    near = {colour}.union(*(group for group in _NEAR if colour in group))
    return rng.choice([name for name in COLOURS if name not in near])


def _other_name(item: Item, said: tuple[str, ...], rng: random.Random) -> str:
    """The name of something else, of the same kind in half of the cases."""
    opposite = _OPPOSITES.get(item.name)
    if opposite and opposite not in said and rng.random() < 0.4:
        return opposite
    alike = set().union(*(_alike(name) for name in said))

    def fits(other: int) -> bool:
        return other not in alike and not (item.number > 1 and is_plural(_spoken(other)))

    kinds = dict.fromkeys(all_things()[i].kind for i in things_called(item.name))
    near = [i for kind in kinds for i in _replacements(kind)]
    if near and rng.random() < 0.5:
        for _ in range(20):  # of some kinds, all names are alike
            if fits(other := rng.choice(near)):
                return _spoken(other)
    while not fits(other := rng.choice(_replacements())):
        pass
    return _spoken(other)


def _spoken(thing: int) -> str:
    return all_things()[thing].spoken


@cache
def _replacements(kind: str = "") -> tuple[int, ...]:
    """The things of a kind, or all, whose names replace others in false captions."""
    return tuple(
        i
        for i, thing in enumerate(all_things())
        if kind in ("", thing.kind) and not thing.mass and thing.kind != "symbol"
    )


@cache
def _alike(name: str) -> frozenset[int]:
    """Things that somebody could call by this name, or that this name could be used for."""
    things = all_things()
    mine = [things[i] for i in things_called(name)]
    names = {name}.union(*({thing.name, thing.spoken, *thing.aliases} for thing in mine))
    nouns = {word for each in names for word in (each.split()[0], each.split()[-1])}
    alike = set().union(names, *(family for family in _FAMILIES if family & names))
    for text, scope in _GENERAL:
        general, special = set(text.split(";")), _names_in(scope)
        if names & special:
            alike |= general
        if names & general:
            alike |= special
    return frozenset(
        i
        for i, thing in enumerate(things)
        if alike & {thing.name, thing.spoken, *thing.aliases}
        or nouns & {word for each in (thing.spoken, *thing.aliases) for word in each.split()}
    )


@cache
def _names_in(scope: str) -> frozenset[str]:
    """The names in a list or of a kind."""
    if ";" in scope:
        return frozenset(scope.split(";"))
    return frozenset(
        name
        for thing in all_things()
        if thing.kind.startswith(scope)
        for name in (thing.name, thing.spoken)
    )
