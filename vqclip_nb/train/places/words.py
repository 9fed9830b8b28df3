"""What people say of a place, a time and a weather.

A "|" marks where an adjective goes: "in a|forest" becomes "in a forest" or "in a foggy forest". A
phrase without it takes none.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass, fields, replace

from vqclip_nb.models.draft.place import (
    KINDS,
    NAMES,
    SEASONS,
    TIMES,
    WEATHERS,
    Place,
    possible,
)

TRAITS = tuple(field.name for field in fields(Place))  # what a caption can say or leave out


@dataclass(frozen=True)
class Words:
    """How a place is spoken of.

    nouns: names of the landscape, "the|sea"
    at: where a thing is that stands there, or is there in any way
    afloat, fly, swim: the same for things on the water, in the air, under water
    adjectives: what is always true of it
    """

    nouns: tuple[str, ...]
    at: tuple[str, ...]
    afloat: tuple[str, ...] = ()
    fly: tuple[str, ...] = ()
    swim: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()


_PLACES = {
    "sky": Words(
        ("the|sky", "a|sky"),
        ("in the|sky", "in the air", "among the clouds"),
        fly=("in the|sky", "up in the air", "in the clouds"),
    ),
    "sea": Words(
        ("the|sea", "the|ocean", "a|sea", "waves on the|sea"),
        ("at sea", "by the|sea", "on the|sea", "on the|ocean"),
        ("on the|sea", "on the|ocean", "on the waves", "at sea"),
        ("over the|sea", "above the|ocean"),
        ("in the|sea", "in the|ocean"),
        ("wide",),
    ),
    "lake": Words(
        ("a|lake", "the|lake", "a|lake between hills"),
        ("by a|lake", "at the|lake", "on the shore of a|lake", "beside a|lake"),
        ("on a|lake", "on the|lake"),
        ("over a|lake", "above the|lake"),
    ),
    "river": Words(
        ("a|river", "the|river", "a|river through meadows"),
        ("by a|river", "on the bank of a|river", "at the|river", "beside a|stream"),
        ("on a|river", "on the|river"),
        ("over a|river", "above the|river"),
        adjectives=("winding",),
    ),
    "beach": Words(
        ("a|beach", "the|beach", "the|seaside", "a|coast"),
        ("on the|beach", "at the|beach", "on a|beach", "at the|seaside", "in the sand by the sea"),
        ("on the water by the beach",),
        ("over the|beach", "above a|beach"),
        adjectives=("sandy", "tropical"),
    ),
    "island": Words(
        ("an|island", "an|island in the sea", "a|desert island"),
        ("on an|island", "on a|desert island", "on a|tropical island"),
        ("on the water by an island",),
        ("over an|island", "above an|island"),
        adjectives=("small", "tropical", "lonely"),
    ),
    "desert": Words(
        ("a|desert", "the|desert", "dunes in the|desert"),
        ("in the|desert", "in a|desert", "among the dunes"),
        fly=("over the|desert", "above the dunes"),
        adjectives=("hot", "dry", "sandy"),
    ),
    "hills": Words(
        ("|hills", "the|hills", "a|hill", "a|landscape with hills"),
        ("on a|hill", "in the|hills", "among the|hills"),
        fly=("over the|hills", "above the|hills"),
        adjectives=("low", "gentle"),
    ),
    "mountains": Words(
        ("|mountains", "the|mountains", "a|mountain", "a|mountain landscape"),
        ("in the|mountains", "in front of a|mountain", "at the foot of a|mountain"),
        fly=("over the|mountains", "above the|mountains"),
        adjectives=("high", "rocky"),
    ),
    "forest": Words(
        ("a|forest", "the|woods", "the|forest", "trees in a|forest"),
        ("in a|forest", "in the|forest", "in the|woods", "among the trees"),
        fly=("in a|forest", "between the trees of a|forest"),
        adjectives=("deep", "dense"),
    ),
    "meadow": Words(
        ("a|meadow", "a|field", "a|landscape with a meadow"),
        ("in a|meadow", "on the|meadow", "in a|field", "on a|field"),
        fly=("over a|meadow", "above a|field"),
        adjectives=("open",),
    ),
    "snow": Words(
        ("a|landscape in the snow", "a|snowy field", "fir trees in the snow", "the|arctic"),
        ("in the snow", "in deep snow", "in a|snowy landscape", "in the|arctic"),
        fly=("over the snow", "above a|snowy landscape"),
        adjectives=("white", "cold"),
    ),
    "city": Words(
        ("a|city", "a|city skyline", "the|skyline of a city", "|skyscrapers"),
        ("in a|city", "in the|city", "in front of a|city skyline", "downtown"),
        ("on the water in front of a|city",),
        ("over a|city", "above the|city", "over the rooftops of a|city"),
        adjectives=("big", "modern"),
    ),
    "village": Words(
        ("a|village", "a|village street", "houses in a|village", "a|town"),
        (
            "in a|village",
            "in the|village",
            "on a|village street",
            "in front of some houses",
            "in a|town",
        ),
        fly=("over a|village", "above the|village"),
        adjectives=("old", "little"),
    ),
    "road": Words(
        ("a|road", "a|country road", "the|road", "a|highway"),
        ("on a|road", "on the|road", "on a|country road", "on a|highway"),
        fly=("over a|road", "above the|road"),
        adjectives=("long", "empty"),
    ),
    "garden": Words(
        ("a|garden", "the|garden", "a|garden with a fence", "a|backyard"),
        ("in a|garden", "in the|garden", "in front of a|garden fence", "in the|backyard"),
        fly=("over a|garden", "in a|garden"),
        adjectives=("pretty",),
    ),
    "park": Words(
        ("a|park", "the|park", "a bench in a|park", "a path in a|park"),
        ("in a|park", "in the|park", "in the|city park"),
        fly=("over a|park", "above the|park"),
    ),
    "farm": Words(
        ("a|farm", "a|red barn", "the fields of a|farm", "a|barn on a farm"),
        ("on a|farm", "at a|farm", "in front of a|barn", "on the|farmland"),
        fly=("over a|farm", "above the|farmland"),
    ),
    "pond": Words(
        ("a|pond", "the|pond", "a|pond in a meadow"),
        ("by a|pond", "at the|pond", "beside a|pond"),
        ("on a|pond", "in a|pond"),
        ("over a|pond", "above the|pond"),
        adjectives=("round", "little"),
    ),
    "waterfall": Words(
        ("a|waterfall", "the|waterfall", "a|waterfall over rocks"),
        ("by a|waterfall", "in front of a|waterfall", "at the|waterfall", "near a|waterfall"),
        ("in front of a|waterfall",),
        ("over a|waterfall", "in front of a|waterfall"),
    ),
    "jungle": Words(
        ("a|jungle", "the|jungle", "a|rainforest"),
        ("in the|jungle", "in a|jungle", "in the|rainforest"),
        fly=("in the|jungle",),
        adjectives=("dense", "tropical"),
    ),
    "savanna": Words(
        ("the|savanna", "a|savanna", "acacia trees in the|savanna"),
        ("in the|savanna", "on the|savanna"),
        fly=("over the|savanna", "above the|savanna"),
        adjectives=("dry", "wide"),
    ),
    "volcano": Words(
        ("a|volcano", "an|erupting volcano", "a|volcano with lava", "the|volcano"),
        ("in front of a|volcano", "near a|volcano", "at the foot of a|volcano"),
        fly=("over a|volcano", "in front of a|volcano"),
    ),
    "room": Words(
        ("a|room", "a|living room", "the|living room", "an|interior"),
        ("in a|room", "in a|living room", "indoors", "at home", "on a rug in a|room"),
        fly=("in a|room",),
        adjectives=("cosy",),
    ),
    "table": Words(
        ("a|table", "a|table in front of a window", "an|empty table", "a|wooden table"),
        ("on a|table", "on the|table", "on a|wooden table", "on a|table by the window"),
        fly=("above a|table",),
    ),
    "kitchen": Words(
        ("a|kitchen", "the|kitchen", "a|kitchen with a stove"),
        ("in a|kitchen", "in the|kitchen", "on the floor of a|kitchen"),
        fly=("in a|kitchen",),
        adjectives=("tidy",),
    ),
    "bedroom": Words(
        ("a|bedroom", "the|bedroom", "a|bedroom with a bed", "a bed in a|room"),
        ("in a|bedroom", "in the|bedroom", "in front of a|bed"),
        fly=("in a|bedroom",),
        adjectives=("cosy",),
    ),
    "cave": Words(
        ("a|cave", "the|entrance of a cave", "a|cavern"),
        ("in a|cave", "inside a|cave", "in the|cave", "in a|cavern"),
        fly=("in a|cave",),
        adjectives=("dark", "rocky"),
    ),
    "under water": Words(
        ("the|seabed", "the|bottom of the sea", "an|underwater landscape", "a|coral reef"),
        (
            "under water",
            "underwater",
            "at the bottom of the|sea",
            "on the seabed",
            "in the|deep sea",
        ),
        swim=("under water", "underwater", "under the sea", "in a|coral reef", "in the|deep sea"),
    ),
    "space": Words(
        ("|space", "|outer space", "the|universe", "planets and stars in|space"),
        ("in|space", "in|outer space", "among the stars", "in the|universe"),
        fly=("in|space", "in|outer space", "among the planets"),
        adjectives=("deep",),
    ),
}

# Places that a hasty look, or a loose word, takes for one another.
_ALIKE = (
    {"lake", "pond", "river", "waterfall"},
    {"sea", "beach", "island"},
    {"lake", "sea", "river"},
    {"forest", "jungle", "park", "garden", "savanna"},
    {"meadow", "hills", "savanna", "farm", "park", "garden", "road", "river", "pond", "snow"},
    {"mountains", "hills", "volcano", "lake", "snow"},
    {"room", "table", "kitchen", "bedroom"},
    {"city", "village", "park", "road"},
    {"desert", "savanna", "beach"},
    {"sea", "under water"},
    {"sky", "space"},
)

_ALIKE_VALUES = (
    {"sunset", "dawn"},
    {"cloudy", "rain", "storm"},
    {"cloudy", "snow"},
    {"cloudy", "fog"},
)

# By trait and value: adjectives of a place, phrases, and subjects that are over it, "a rainbow".
_ADJECTIVES = {
    "night": ("dark",),
    "cloudy": ("cloudy", "overcast"),
    "fog": ("foggy", "misty"),
    "rain": ("rainy", "wet"),
    "storm": ("stormy",),
    "snow": ("snowy",),
    "wind": ("windy",),
    "spring": ("blooming",),
    "autumn": ("autumn", "autumnal"),
    "winter": ("snowy", "wintry", "snow-covered"),
}
_CLEAR = {"day": ("sunny", "bright"), "night": ("moonlit",), "sunset": (), "dawn": ()}
_OF_THE_SKY = {  # more of what is shown in fair weather
    "day": ("blue", "clear"),
    "night": ("starry", "night"),
    "sunset": ("red", "evening"),
    "dawn": ("morning",),
}
_PHRASES = {
    "day": ("by day", "during the day", "in daylight"),
    "sunset": ("at sunset", "at dusk", "in the evening"),
    "dawn": ("at dawn", "at sunrise", "in the morning", "early in the morning"),
    "night": ("at night", "by night", "in the dark"),
    "cloudy": ("under a cloudy sky", "under clouds"),
    "fog": ("in the fog", "in the mist", "in thick fog"),
    "rain": ("in the rain", "in pouring rain"),
    "storm": ("in a storm", "in a thunderstorm", "with lightning"),
    "snow": ("in falling snow", "in a snowstorm", "in snowfall"),
    "rainbow": ("under a rainbow", "with a rainbow", "with a rainbow in the sky"),
    "wind": ("in the wind", "in a strong wind"),
    "spring": ("in spring", "in springtime"),
    "autumn": ("in autumn", "in the fall", "in fall"),
    "winter": ("in winter", "in wintertime"),
}
_CLEAR_PHRASES = {
    "day": ("in the sunshine", "on a sunny day", "under a blue sky", "on a clear day"),
    "night": ("under a starry sky", "under the stars", "on a starry night", "in the moonlight"),
    "sunset": ("under a red sky", "in the setting sun", "in the evening sun"),
    "dawn": ("in the morning sun", "in the rising sun"),
}
_PARTS = {"day": "day", "night": "night", "sunset": "evening", "dawn": "morning"}
_OF_A_DAY = {  # before "day" or "night"; these hold indoors too
    "cloudy": ("cloudy", "overcast"),
    "fog": ("foggy", "misty"),
    "rain": ("rainy",),
    "storm": ("stormy",),
    "snow": ("snowy",),
    "wind": ("windy",),
    "spring": ("spring",),
    "autumn": ("autumn",),
    "winter": ("winter",),
}
_OUTSIDE = {  # seen from a room
    "rain": ("with rain outside", "while it rains outside"),
    "storm": ("with a storm outside", "with lightning outside the window"),
    "snow": ("with snow outside the window", "while it snows outside"),
}
_OVER = {
    "sunset": ("a sunset", "the setting sun", "a red evening sky"),
    "dawn": ("a sunrise", "the rising sun", "the morning sky"),
    "cloudy": ("clouds", "a cloudy sky"),
    "fog": ("fog", "mist"),
    "rain": ("rain", "rain clouds"),
    "storm": ("lightning", "a thunderstorm", "a storm"),
    "snow": ("snow falling", "falling snow"),
    "rainbow": ("a rainbow", "a colourful rainbow"),
}
_CLEAR_OVER = {
    "day": ("the sun", "a blue sky"),
    "night": ("the moon", "a starry sky", "stars", "the night sky"),
    "sunset": (),
    "dawn": (),
}


def describe(place: Place, rng: random.Random, *, say: tuple[str, ...] | None = None) -> str:
    """A caption of a landscape without any thing: "a calm lake in the fog".

    say: which of `TRAITS` to mention, "name" always; random unless given
    """
    say = traits(place, rng) if say is None else say
    rest = [trait for trait in say if trait != "name"]
    rng.shuffle(rest)
    words, timed = _PLACES[place.name], place.time == "day" or "time" in say
    if rest and KINDS[place.name].outdoors and place.name != "sky" and rng.random() < 0.3:
        over = _over(place, rest[0])
        if over:
            at = rng.choice(words.fly).replace("above ", "over ").replace("|", " ")
            return _join(rng.choice(over), at, *_tail(place, rest[1:], rng, timed))
    return _spoken(place, words.nouns, rest, rng, timed)


def phrase(
    place: Place, rng: random.Random, *, how: str = "stand", say: tuple[str, ...] | None = None
) -> str:
    """Where and when a thing is, to follow its name: "on the beach at sunset".

    how: whether it does "stand", is "afloat", does "fly" or "swim"
    say: which of `TRAITS` to mention; random unless given
    """
    if how not in ("stand", "afloat", "fly", "swim"):
        raise ValueError(f"things stand, are afloat, fly or swim; not {how!r}")
    say = traits(place, rng, bare=0.12) if say is None else say
    rest = [trait for trait in say if trait != "name"]
    rng.shuffle(rest)
    timed = place.time == "day" or "time" in say
    if "name" not in say and rest:
        return _join(*_tail(place, rest, rng, timed))
    words = _PLACES[place.name]
    return _spoken(place, getattr(words, how, ()) or words.at, rest, rng, timed)


def traits(place: Place, rng: random.Random, *, bare: float = 0.0) -> tuple[str, ...]:
    """What a caption mentions: the name, and most of what is not usual.

    bare: share of those that leave the name out, if there is anything else to say
    """
    said = []
    if place.time != "day":
        said += ["time"] * (rng.random() < 0.8)
    elif place.weather == "clear" and place.season is None and _has_sky(place):
        said += ["time"] * (rng.random() < 0.2)
    if place.weather != "clear":
        said += ["weather"] * (rng.random() < 0.8)
    if place.season is not None:
        said += ["season"] * (rng.random() < 0.8)
    if len(said) == 3:
        said.remove(rng.choice(said))
    return tuple(said) if said and rng.random() < bare else ("name", *said)


def other(place: Place, trait: str, rng: random.Random) -> Place:
    """A place that differs in one trait so that nobody takes the one for the other.

    Raises ValueError if the place has no other.
    """
    if trait == "name":
        alike = {place.name}.union(*(group for group in _ALIKE if place.name in group))
        moved = (replace(place, name=name) for name in NAMES if name not in alike)
        others = [each for each in moved if each in possible(each.name)]
    else:
        mine = replace(place, **{trait: None})
        others = [p for p in possible(place.name) if replace(p, **{trait: None}) == mine]
    others = [each for each in others if _differs(each, place, trait)]
    if not others:
        raise ValueError(f"{place} has no other {trait}")
    return rng.choice(others)


def phrase_table() -> dict:
    """All phrases with their meaning, as plain containers, for the reader of the draft.

    places: for each place its `Words`
    traits: lists of a phrase, a trait and its value; in "sky" only of adjectives of the sky, in
        "over" only of what can be over a place
    """
    traits_of = dict.fromkeys(TIMES, "time") | dict.fromkeys(WEATHERS, "weather")
    traits_of |= {value: "season" for value in SEASONS if value}
    groups = {
        "adjectives": (_ADJECTIVES, _CLEAR, _OF_A_DAY),
        "sky": (_OF_THE_SKY,),
        "phrases": (_PHRASES, _CLEAR_PHRASES, _OUTSIDE),
        "over": (_OVER, _CLEAR_OVER),
    }
    rows = {
        group: sorted(
            {
                (text, traits_of[value], value)
                for table in tables
                for value, texts in table.items()
                for text in texts
            }
        )
        for group, tables in groups.items()
    }
    return {"places": {name: asdict(words) for name, words in _PLACES.items()}, "traits": rows}


def vocabulary() -> list[str]:
    """Every word that `describe` and `phrase` can use, sorted."""
    groups = [getattr(w, f.name) for w in _PLACES.values() for f in fields(Words)]
    tables = (
        _ADJECTIVES,
        _CLEAR,
        _OF_THE_SKY,
        _PHRASES,
        _CLEAR_PHRASES,
        _OF_A_DAY,
        _OUTSIDE,
        _OVER,
        _CLEAR_OVER,
    )
    groups += [group for table in tables for group in table.values()]
    texts = [text.replace("|", " ") for group in groups for text in group]
    return sorted({word for text in [*texts, *_PARTS.values(), "on a"] for word in text.split()})


def _has_sky(place: Place) -> bool:
    return KINDS[place.name].outdoors


def _differs(other: Place, place: Place, trait: str) -> bool:
    """The other can be told from the place by this trait, and a caption can say it."""
    value, mine = getattr(other, trait), getattr(place, trait)
    if value in (None, "clear", mine) or any({value, mine} <= alike for alike in _ALIKE_VALUES):
        return False  # a summer or fair weather is not mentioned
    lies = place.weather == "snow" or place.season == "winter" or place.name == "snow"
    return not (lies and value in ("snow", "winter"))


def _spoken(
    place: Place, phrases: tuple[str, ...], rest: list[str], rng: random.Random, timed: bool
) -> str:
    """A phrase of the place, an adjective in it if it takes one, and the rest behind."""
    words = _PLACES[place.name]
    before, bar, noun = rng.choice(phrases).partition("|")
    adjective, chance = "", rng.random()
    if bar and rest and chance < 0.45:
        if choices := _adjectives(place, rest[0]):
            adjective, rest = rng.choice(choices), rest[1:]
    elif bar and words.adjectives and chance > 0.8:
        adjective = rng.choice(words.adjectives)
    own = words.adjectives
    if adjective in noun.split() or (adjective in own and noun.split()[0] in own):
        adjective = ""  # no "sandy sandy beach"
    return _join(before, adjective, noun, *_tail(place, rest, rng, timed))


def _tail(place: Place, rest: list[str], rng: random.Random, timed: bool) -> list[str]:
    """A phrase of each trait; "on a foggy night" is said once, if at all, and says the time too."""
    said: dict[str, str] = {}
    for trait in rest:
        choices = _phrases(place, trait)
        if not timed or any(text.startswith("on a ") for text in said.values()):
            choices = [text for text in choices if not text.startswith("on a ")]
        said[trait] = rng.choice(choices)
    if any(text.startswith("on a ") for trait, text in said.items() if trait != "time"):
        said.pop("time", None)
    return list(said.values())


def _clear(place: Place, trait: str) -> bool:
    return trait == "time" and place.weather == "clear" and _has_sky(place)


def _adjectives(place: Place, trait: str) -> tuple[str, ...]:
    if not _has_sky(place):
        return ()
    choices = _ADJECTIVES.get(getattr(place, trait), ())
    if _clear(place, trait):
        choices += _CLEAR[place.time] if place.name != "sky" else _OF_THE_SKY[place.time]
    return choices


def _phrases(place: Place, trait: str) -> tuple[str, ...]:
    """Phrases of a trait, at least one of which does not begin with "on a"."""
    value = getattr(place, trait)
    days = tuple(f"on a {word} {_PARTS[place.time]}" for word in _OF_A_DAY.get(value, ()))
    if not _has_sky(place):
        return days + _OUTSIDE[value] if trait == "weather" else _PHRASES[value][:2]
    return _PHRASES[value] + days + (_CLEAR_PHRASES[place.time] if _clear(place, trait) else ())


def _over(place: Place, trait: str) -> tuple[str, ...]:
    return _OVER.get(getattr(place, trait), ()) + (
        _CLEAR_OVER[place.time] if _clear(place, trait) else ()
    )


def _join(*parts: str) -> str:
    """The parts as one phrase, with "a" or "an" as the next word wants it."""
    text = " ".join(" ".join(part for part in parts if part).split())
    return re.sub(r"\b(an?) (?=(\w))", lambda m: "an " if m[2] in "aeiou" else "a ", text)
