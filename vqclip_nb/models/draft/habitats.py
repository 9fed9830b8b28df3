"""Where things usually are."""

from __future__ import annotations

import random

from vqclip_nb.models.draft.place import Place, random_place
from vqclip_nb.models.draft.things import Thing

_OPEN = ("meadow", "hills", "farm", "park", "garden", "beach", "snow", "village", "savanna")
_OUT = (*_OPEN, "forest", "mountains", "river", "lake", "pond", "road", "island", "desert")
_OUT += ("jungle", "city", "waterfall", "volcano")
_IN = ("room", "kitchen", "bedroom")
_BUILT = ("meadow", "hills", "mountains", "beach", "snow", "desert", "farm", "island", "savanna")
_BUILT += ("village", "park", "lake", "river", "volcano")
_DRIVEN = ("road",) * 5 + ("city",) * 3 + ("village", "desert", "snow", "meadow", "farm", "beach")
_DRIVEN += ("hills", "savanna", "mountains", "forest", "park")
_SMALL = ("table",) * 12 + _IN + ("garden", "meadow", "beach", "park", "forest", "cave", "snow")
_AIR = ("sky",) * 3 + (*_OUT, "sea", "sea")
_FLYING = tuple(name for name in _AIR if name not in ("forest", "jungle", "waterfall"))
_STANDS = {
    "building": _BUILT,
    "vehicle/land": _DRIVEN,
    "furniture": _IN * 3 + ("garden", "meadow", "beach", "desert"),
    "instrument": _IN * 2 + ("meadow", "garden", "beach", "city", "forest"),
    "person": (*_OUT, *_OUT, *_IN, "cave"),
    "plant": tuple(name for name in _OUT if name not in ("city", "road", "volcano", "snow")),
    "animal/land": (*_OUT, *_OUT, *_IN, "cave"),
    "animal/air": (*_OUT, "cave"),
    "toy": (*_IN, *_IN, *_OPEN),
    "tool": (*_IN, *_IN, *_OPEN, "cave"),
}
_HOMES = {  # where these are in most pictures
    "snow": "penguin;polar bear;seal;snowman;igloo;sledge;skier;snowboarder;santa claus;reindeer",
    "desert": "camel;cactus;scorpion;lizard;tepee",
    "savanna": "lion;elephant;giraffe;zebra;rhinoceros;cheetah;ostrich;antelope;leopard",
    "jungle": "monkey;gorilla;parrot;tiger;orangutan;snake;dinosaur;baboon",
    "farm": "cow;pig;hen;rooster;sheep;goat;tractor;scarecrow;horse;chick;bull;donkey;turkey",
    "forest": "deer;bear;squirrel;hedgehog;mushroom;toadstool;owl;fox;wild boar;fawn",
    "garden": "flower;rose;tulip;daisy;sunflower;butterfly;bee;snail;wheelbarrow",
    "beach": "beach umbrella;crab;palm tree;surfboard;beach ball;turtle",
    "pond": "frog;duck;dragonfly",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split(";")}


def place_for(things: list[Thing], how: str, rng: random.Random) -> Place:
    """A place where things like these are, at any time and in any weather.

    how: one of `things.WHERE`, for the largest of them
    """
    big = max(things, key=lambda thing: thing.size)
    home = _HOME.get(things[0].name)
    if home and how in ("stand", "fly", "table") and rng.random() < 0.5:
        return random_place(rng, home)
    if how == "space":
        names = ("space",)
    elif how in ("deep", "swim"):
        names = ("under water",) if how == "deep" or big.size < 0.3 else ("under water",) * 3
        names += ("sea",) if how == "swim" and big.size > 0.6 else ()
    elif how == "afloat":
        names = ("sea", "sea", "sea", "lake", "lake", "beach", "island", "city")
        names = (*names, "river", "pond", "waterfall") if big.size < 3 else names
        names = ("pond", "pond", "lake", "river", "sea") if big.size < 0.8 else names
    elif how == "fly":
        names = _FLYING if big.size > 1 else (*_AIR, "garden", "meadow")
    elif all("table" in thing.where for thing in things):
        names = _SMALL
    else:
        names = _STANDS.get(big.kind, _OUT)
        if big.size > 1.4 and big.kind != "person":
            names = tuple(name for name in names if name not in (*_IN, "cave"))
    same = {thing.name for thing in things} | {f"{thing.name}s" for thing in things}
    names = [name for name in names if name not in same] or names  # no volcano at a volcano
    return random_place(rng, rng.choice(names))


# Where people expect a thing if a sentence does not say it; things of other kinds are expected on a
# plain ground.
_USUAL = {
    "building": "hills;meadow", "vehicle/land": "road", "vehicle/water": "sea",
    "vehicle/air": "sky", "animal/land": "meadow;hills", "animal/air": "sky",
    "animal/water": "under water", "person": "meadow;park;village", "celestial": "sky",
    "weather": "sky", "nature": "meadow;hills", "furniture": "room",
}  # fmt: skip
_USUAL_OF = {
    "beach": "lighthouse;crab;turtle;beach umbrella;surfboard;beach ball;pirate;seagull",
    "hills": "castle;japanese castle;windmill;wind turbine;knight;watchtower;tower;radio tower",
    "village": "church;houses;house;cottage;townhouse;shop;clock tower;well;fountain;haunted house",
    "city": "skyscraper;office building;hotel;apartment building;bank;hospital;police car;taxi;"
    "bus;traffic light;tokyo tower;robot;stadium;fire station;superhero;tram;trolleybus;pigeon",
    "forest": "deer;bear;fox;wolf;squirrel;hedgehog;mushroom house;fairy house;owl;wild boar;"
    "fawn;raccoon;badger;tent;campfire;log cabin;fairy;elf;ogre;toadstool;mushroom;beaver;logs",
    "farm": "barn;cow;pig;hen;rooster;goat;tractor;scarecrow;chick;bull;donkey;turkey;goose;farmer",
    "garden": "butterfly;bee;snail;wheelbarrow;hummingbird;ladybug;dragonfly;peacock;caterpillar",
    "desert": "camel;cactus;scorpion;lizard;tepee;oil pump;sphinx",
    "savanna": "lion;elephant;giraffe;zebra;rhinoceros;cheetah;ostrich;antelope;leopard",
    "jungle": "monkey;gorilla;parrot;tiger;orangutan;snake;dinosaur;baboon;t-rex;stegosaurus;"
    "triceratops;sloth",
    "snow": "penguin;polar bear;seal;snowman;igloo;sledge;skier;snowboarder;santa claus;mammoth;"
    "reindeer;figure skater",
    "pond": "frog;duck;swan;lotus;otter;flamingo",
    "river": "bridge;canoe;crocodile;hippopotamus;water mill;rowing boat",
    "sea": "whale;surfer;wave;shark fin;sailboat",
    "space": "astronaut;rocket;satellite;space shuttle;planet;saturn;jupiter;earth;venus;meteor;"
    "alien;mars",
    "mountains": "temple;pagoda;dragon;llama;chalet;eagle;yeti;train;steam train;monorail",
    "meadow": "tree;oak;autumn tree;bare tree;fruit tree;willow tree;pine tree;horse;sheep;rabbit",
    "beach;island": "palm tree", "park": "bench;dog;poodle;bulldog;runner;skater",
}  # fmt: skip
_USUALLY = {name: home for home, names in _USUAL_OF.items() for name in names.split(";")}
# Times at which these are seen, if a sentence does not say one.
NIGHTLY = frozenset(
    [
        "moon",
        "full moon",
        "crescent moon",
        "half moon",
        "moon and stars",
        "star",
        "shooting star",
        "ghost",
        "bat",
        "haunted house",
        "campfire",
        "fireworks",
        "werewolf",
        "vampire",
    ]
)


def usual_places(things: list[Thing]) -> tuple[str, ...]:
    """The names of places where people expect these; none if they expect a plain ground."""
    largest = max(things, key=lambda thing: thing.size)
    own, general = _USUALLY.get(largest.name), _USUAL.get(largest.kind)
    if largest.kind == "plant" and largest.size >= 2:
        general = "meadow"
    places = own or general if largest.part == "whole" else None
    return tuple(places.split(";")) if places else ()
