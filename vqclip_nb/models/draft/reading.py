"""Reads a sentence: which things it mentions, where they are, when and in which style.

A fixed set of rules, no network: the longest known phrase at each word counts, and unknown words
are skipped. What a sentence leaves open stays open; `layout` decides it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vqclip_nb.models.draft.composition import Composition, Item
from vqclip_nb.models.draft.phrases import Match, Phrases, words_of
from vqclip_nb.models.draft.place import Place
from vqclip_nb.models.draft.roles import CANOPIES, CONTAINERS, HELD, MOUNTS, RIDERS, names_of
from vqclip_nb.models.draft.things import all_things, things_called

MOST = 4  # things in a picture, not counting several of the same
_PUNCTUATION = frozenset(",.:;!?()|")
_PARTS_OF_DAY = (["day"], ["night"], ["morning"], ["evening"])
# After these a noun that can be a thing or a place is a place.
_AT = ("in", "on", "near", "above", "in front of")
_PLURAL = {1: 3, 2: 2, 3: 2, 4: 1}  # by the number of items: how many "apples" are
_CANOPIES, _MOUNTS = frozenset(names_of(CANOPIES)), frozenset(names_of(MOUNTS))
_CONTAINERS = frozenset(names_of(CONTAINERS + ";vase;glass;jar"))
_SEATS = frozenset(("table", "desk", "chair", "sofa", "bed", "plate"))
_HELD, _RIDERS = frozenset(names_of(HELD)), frozenset(names_of(RIDERS))


def read(text: str, phrases: Phrases) -> Composition:
    """What a sentence mentions.

    The `place` has the name "" if only a time, a weather or a season is mentioned; `say` lists what
    is mentioned. The relation is that of the first two items. An empty composition, which is equal
    to `Composition("landscape")`, means that no word is known.
    """
    reader = _Reader(phrases, *words_of(text))
    at = 0
    while at < len(reader.words):
        at += reader.step(at)
    return reader.composition()


def in_words(composition: Composition) -> str:
    """What was understood, e.g. "things: lighthouse; weather: storm"; empty if it is nothing."""
    place, parts = composition.place, []
    if composition.kind in ("portrait", "still life", "pattern"):
        parts.append(f"kind: {composition.kind}")
    if composition.items:
        parts.append("things: " + ", ".join(_in_words(item) for item in composition.items))
    if composition.relation and composition.relation != "and":
        parts.append(f"relation: {composition.relation}")
    for trait in composition.say:
        label = "place" if trait == "name" else trait
        parts.append(f"{label}: {getattr(place, trait)}")
    for name in ("background", "style"):
        if getattr(composition, name):
            parts.append(f"{name}: {getattr(composition, name)}")
    return "; ".join(parts)


def _in_words(item: Item) -> str:
    number = str(item.number) if item.number > 1 else None
    return " ".join(word for word in (number, item.size, item.colour, item.name) if word)


@dataclass
class _Found:
    """A noun that was read: a thing, or a thing that can be a place as well.

    relation: to the noun before
    """

    item: Item
    relation: str | None
    plural: bool
    place: str | None = None


@dataclass
class _Reader:
    """The state of reading a sentence from its start to its end."""

    phrases: Phrases
    words: list[str]
    articles: list[bool]
    found: list[_Found] = field(default_factory=list)
    adjectives: dict[str, object] = field(default_factory=dict)  # of the next noun
    relation: str | None = None
    traits: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, str]] = field(default_factory=list)  # name, and how things are there
    ended: int = -1  # where the last noun ended
    sky: bool = False  # mentioned as in "a starry sky"
    background: str | None = None
    style: str | None = None
    kind: str | None = None

    def step(self, at: int) -> int:
        """Read the phrase that begins at a word; returns its length."""
        word = self.words[at]
        if word in _PUNCTUATION:
            self.relation = self.relation or ("and" if self.found else None)
            return 1
        if word in self.phrases.sky and "sky" in self.words[at + 1 : at + 3]:
            self.traits.setdefault(*self.phrases.sky[word])
            return 1
        matches = self.phrases.matches(self.words, at)
        if not matches:
            return 1
        longest = [match for match in matches if match.length == matches[0].length]
        by_kind = {match.meaning.kind: match for match in reversed(longest)}
        for kind in _ORDER:
            if kind in by_kind and _HANDLERS[kind](self, by_kind[kind], at, by_kind):
                return by_kind[kind].length
        return matches[0].length

    def _style(self, match: Match, at: int, _) -> bool:
        self.style = self.style or match.meaning.value
        return True

    def _kind(self, match: Match, at: int, _) -> bool:
        self.kind = self.kind or match.meaning.value
        self.relation = None
        return True

    def _relation(self, match: Match, at: int, _) -> bool:
        relation = match.meaning.value
        if relation == "of":  # a bowl of oranges
            full = self.found and self.found[-1].item.name in _CONTAINERS
            relation = "with" if full else self.relation
        if relation != "and" or not self.relation:  # "and" after a comma
            self.relation = relation
        return True

    def _number(self, match: Match, at: int, _) -> bool:
        self.adjectives["number"] = match.meaning.value
        return True

    def _size(self, match: Match, at: int, _) -> bool:
        self.adjectives["size"] = match.meaning.value
        return True

    def _background(self, match: Match, at: int, _) -> bool:
        self.relation = None
        return True

    def _colour(self, match: Match, at: int, by_kind: dict[str, Match]) -> bool:
        """Of the next noun, of the background, or of the noun before."""
        colour, after = match.meaning.value, at + match.length
        rest = self.words[after:]
        before = self.words[at - 1] if at else ""
        if rest[:1] == ["background"] or (rest[:1] == ["behind"] and not self.found):
            self.background = self.background or colour
            self.relation = None
        elif self._noun_follows(after):
            self.adjectives["colour"] = colour
        elif "thing" in by_kind and (self.articles[at] or before not in ("on", "against")):
            return False  # an orange
        elif before in ("on", "against", "of") and not self.articles[at]:
            self.background = self.background or colour
            self.relation = None
        elif self.found and self.found[-1].item.colour is None and self.relation is None:
            self.found[-1].item = replace(self.found[-1].item, colour=colour)
        return True

    def _noun_follows(self, at: int) -> bool:
        """Whether the next noun comes without a preposition or a punctuation mark before it."""
        while at < len(self.words) and self.words[at] not in _PUNCTUATION:
            matches = self.phrases.matches(self.words, at)
            kinds = {m.meaning.kind for m in matches if m.length == matches[0].length}
            if kinds & {"thing", "plural", "place"}:
                return True
            if kinds & {"relation", "at", "background"}:
                return False
            at += matches[0].length if matches else 1
        return False

    def _trait(self, match: Match, at: int, by_kind: dict[str, Match]) -> bool:
        trait, value = match.meaning.value, match.meaning.more
        if self.words[at] == "snowy" and self.words[at + 1 : at + 2] in _PARTS_OF_DAY:
            trait, value = "weather", "snow"  # elsewhere it is winter
        self.traits.setdefault(trait, value)
        if not self._noun_follows(at + match.length) or " " in self.words[at]:
            self.relation = None
        return True

    def _over(self, match: Match, at: int, by_kind: dict[str, Match]) -> bool:
        """Something in the sky, like the moon: a trait if it is over a place."""
        sky = self.words[at + match.length - 1] == "sky"
        thing = "thing" in by_kind or "plural" in by_kind
        if thing and ("number" in self.adjectives or not self._is_over(at + match.length)):
            return False
        self.traits.setdefault(match.meaning.value, match.meaning.more)
        self.sky = self.sky or (sky and self.relation is None)
        self.relation = None
        return True

    def _is_over(self, at: int) -> bool:
        """Whether the next words say that something is over a place."""
        matches = self.phrases.matches(self.words, at) if at < len(self.words) else []
        if any(match.meaning.kind == "at" for match in matches):
            return self.words[at] in ("over", "above")
        if not matches or self.words[at] not in ("over", "above"):
            return False
        nouns = self.phrases.matches(self.words, at + 1) if at + 1 < len(self.words) else []
        return any(match.meaning.kind == "place" for match in nouns)

    def _at(self, match: Match, at: int, by_kind: dict[str, Match]) -> bool:
        name, last = match.meaning.value, self.words[at + match.length - 1]
        self._within(match.within, name)
        if self.words[at : at + 2] == ["in", "front"] and self.found and things_called(last):
            self.found.append(_Found(Item(last), "in front of", False, name))
            return True
        self.places.append((name, match.meaning.more))
        self.relation, self.adjectives = None, {}
        return True

    def _within(self, words: tuple[str, ...], place: str) -> None:
        """The adjectives in a phrase of a place."""
        for word in words:
            trait = self.phrases.sky.get(word) if place == "sky" else None
            trait = trait or self.phrases.adjectives.get(word)
            if trait is not None:
                self.traits.setdefault(*trait)

    def _place(self, match: Match, at: int, by_kind: dict[str, Match]) -> bool:
        self._within(match.within, match.meaning.value)
        how = "fly" if self.relation == "above" else match.meaning.more
        self.places.append((match.meaning.value, how))
        self.relation, self.adjectives = None, {}
        return True

    def _thing(self, match: Match, at: int, by_kind: dict[str, Match]) -> bool:
        plural = by_kind.get("plural")
        if plural and ("thing" not in by_kind or self.adjectives.get("number", 1) > 1):
            match = plural  # two roses, not the bunch that is called "roses"
        name = match.meaning.value
        place = by_kind["place"].meaning.value if "place" in by_kind else None
        colour, _, rest = name.partition(" ")
        if rest and things_called(rest) and ("colour" not in self.adjectives):
            colours = [m for m in self.phrases.matches([colour], 0) if m.meaning.kind == "colour"]
            if colours:  # "black cat"
                self.adjectives["colour"], name = colours[0].meaning.value, rest
        self._drop_modifier(at)
        item = Item(name, **self.adjectives)
        self.found.append(_Found(item, self.relation, match is plural, place))
        self.ended = at + match.length
        self.relation, self.adjectives = None, {}
        return True

    def _drop_modifier(self, at: int) -> None:
        """Forget the noun right before this one if it only describes it: a pirate ship."""
        if self.found and self.ended == at and any(self.articles) and not self.articles[at]:
            self.adjectives = {
                "colour": self.found[-1].item.colour,
                "size": self.found[-1].item.size,
                "number": self.found[-1].item.number,
            }
            self.relation = self.found.pop().relation

    def composition(self) -> Composition:
        """What was read, once the end is reached."""
        self._resolve_places()
        found = self.found[:MOST]
        relation = self._relate(found)
        items = tuple(self._counted(each, len(found)) for each in found)
        name, how = self._where()
        say = (("name",) if name else ()) + tuple(
            trait for trait in ("time", "weather", "season") if trait in self.traits
        )
        place = Place(name, **self.traits) if say else None
        return Composition(
            self._kind_of(items),
            items,
            relation,
            place,
            say,
            how or "stand",
            self.background,
            self.style,
        )

    def _kind_of(self, items: tuple[Item, ...]) -> str:
        if not items:
            return "landscape"
        plain = "plain" if self.background else "scene"
        return self.kind or plain

    def _resolve_places(self) -> None:
        """Decide which nouns are places: a mountain, unless something else is the place."""
        for i, each in enumerate(list(self.found)):
            taken = any(name not in ("snow", "sky") for name, _ in self.places)
            if each.place is None or taken or self.kind == "pattern":
                continue
            alone = len(self.found) == 1 and each.item == Item(each.item.name)
            things = [all_things()[t] for t in things_called(each.item.name)]
            large = not any(thing.where for thing in things) or things[0].kind == "nature"
            plain = self.background or each.item != Item(each.item.name)
            if not (alone or (i and each.relation in _AT) or (large and not plain)):
                continue
            self.places.append((each.place, "fly" if each.relation == "above" else ""))
            position = self.found.index(each)
            if position + 1 < len(self.found) and position == 0:
                self.found[1].relation = None
            self.found.remove(each)

    def _where(self) -> tuple[str, str]:
        """The place, and how things are there; the sky and snow give way to other places."""
        if not self.places:
            return ("sky" if self.sky and not self.found else ""), ""
        names = [name for name, _ in self.places]
        others = [each for each in self.places if each[0] not in ("snow", "sky")]
        if others and "snow" in names:
            self.traits.setdefault("season", "winter")
        return (others or self.places)[0]

    def _relate(self, found: list[_Found]) -> str | None:
        """The relation of the first two items; the pair that has one comes first."""
        if len(found) < 2:
            return None
        pairs = [i for i in range(1, len(found)) if found[i].relation not in (None, "and")]
        if len(found) > 2 and pairs:
            first = pairs[0] - 1
            pair = found[first : first + 2]
            found[:] = [*pair, *(each for each in found if each not in pair)]
        relation = found[1].relation or "and"
        if relation == "with" and found[0].item.name in _CONTAINERS:
            found[:2], relation = [found[1], found[0]], "in"
        if relation == "with" and found[0].item.name in _SEATS:
            found[:2], relation = [found[1], found[0]], "on"
        if relation == "between":
            found[1].item = replace(found[1].item, number=2)
        return _resolved(relation, found[0].item, found[1].item)

    def _counted(self, each: _Found, items: int) -> Item:
        if each.plural and each.item.number == 1 and self.kind != "pattern":
            return replace(each.item, number=_PLURAL[items])
        return each.item


def _resolved(relation: str, first: Item, second: Item) -> str:
    """What "on", "under" and "with" mean between these things."""
    if relation == "below" and second.name in _CANOPIES:
        return "under"
    if relation == "on" and first.name in _RIDERS and second.name in _MOUNTS:
        return "riding"
    if relation == "with":
        if any(all_things()[i].worn for i in things_called(second.name)) and not any(
            "table" in all_things()[i].where for i in things_called(first.name)
        ):
            return "wearing"
        if first.name in _RIDERS and second.name in _HELD:
            return "holding"
    return relation


_ORDER = (
    "style",
    "at",
    "colour",
    "trait",
    "over",
    "thing",
    "plural",
    "place",
    "kind",
    "size",
    "number",
)
_ORDER += ("background", "relation")
_HANDLERS = {
    "style": _Reader._style,
    "at": _Reader._at,
    "colour": _Reader._colour,
    "trait": _Reader._trait,
    "over": _Reader._over,
    "thing": _Reader._thing,
    "plural": _Reader._thing,
    "place": _Reader._place,
    "kind": _Reader._kind,
    "size": _Reader._size,
    "number": _Reader._number,
    "background": _Reader._background,
    "relation": _Reader._relation,
}
