"""The settings of a run, and the field system from which forms, flags and documentation are made.

Each field is declared once, by `field`; `specs` lists what is known about the fields of a class.
Names are those of the public VQGAN+CLIP notebooks.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import numbers
import random
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqclip_nb.pictures import checksum, open_picture, provenance_in, sources_in, with_copies
from vqclip_nb.prompt_syntax import Prompt, parse_augments, parse_prompts, parse_story
from vqclip_nb.untrusted.files import parse_json
from vqclip_nb.untrusted.text import hidden_character, reason_of, shown

_LONGEST = 10_000  # characters of a text; CLIP reads about 300 of a sentence
_MOST_NAMES = 16  # CLIPs of a run
_MOST_PHRASES = 200  # of a story, and sentences in all
_MOST_UPDATES = 10_000  # live changes
_LARGEST_WEIGHT = 1000.0  # of a sentence, or a loss at which it stops


@dataclass(frozen=True)
class Spec:
    """What a form, a flag, a help text and a check need to know about one field.

    help: one or two sentences
    minimum, maximum: the range of a number, or of each side of a shape
    live: can change while a run paints
    numbered: one more choice, in which N stands for a whole number
    graph_safe: a recorded CUDA graph stays valid when the value changes, because the value reaches
        an iteration as a tensor or not at all
    section: the folded part of the form that shows the field; empty: the part that is always open
    name, kind, default: filled in by `specs`; for kinds see `_KINDS`
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    numbered: str = ""
    live: bool = False
    graph_safe: bool = False
    section: str = ""
    name: str = ""
    kind: str = ""
    default: Any = None

    @property
    def limits(self) -> str:
        """The choices or the range in words; empty if there are none."""
        if self.choices:
            return "one of " + ", ".join(filter(None, [*self.choices, self.numbered]))
        return "" if self.minimum is None else f"from {self.minimum:g} to {self.maximum:.10g}"

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return _RULES[self.kind][0].format(limits=self.limits)

    def check(self, value: Any) -> Any:
        """The value as the field stores it; ValueError with one sentence if it is not allowed."""
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and (hidden := hidden_character(text[:_LONGEST])):
                raise ValueError(
                    f"{self.name} has the invisible character {hidden} in it: remove it."
                )
        try:
            return _RULES[self.kind][1](self, value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{self.name} must be {self.allowed}, got {shown(value)}.") from None


def field(default: Any, help: str, *limits: float, **more: Any) -> Any:
    """A dataclass field with a `Spec`; its annotation decides the kind.

    limits: minimum and maximum, for kinds that have a range
    """
    return dataclasses.field(default=default, metadata={"spec": Spec(help, *limits, **more)})


@dataclass(frozen=True)
class Checked:
    """Base of dataclasses that check their fields when made.

    Raises ValueError with one sentence that names the field, what is allowed and the value.
    """

    def __post_init__(self) -> None:
        for name, spec in specs(type(self)).items():
            object.__setattr__(self, name, spec.check(getattr(self, name)))


_LIVE = {"live": True, "graph_safe": True}
_crops = functools.partial(field, section="More about prompts and crops")
_loss = functools.partial(field, section="Optimizer and loss")
_model = functools.partial(field, section="Picture and model")
_METHODS = ("studio", "original", "updated", "nrupdated", "updatedpooling", "latest", "padded")


@dataclass(frozen=True, kw_only=True)
class Settings(Checked):
    """The parameters of a run, in the order in which a form shows them; immutable."""

    prompt: str = field(
        "a red apple", "What to paint: sentences, pictures or a story ('dawn ^ dusk').", **_LIVE
    )
    extras: str = field("", "Style or mood blended into the prompt, e.g. 'night sky'.", **_LIVE)
    exclude: str = field("", "What to keep out of the picture.", **_LIVE)
    w1: float = field(1.0, "Weight of the prompt in the blend with the extras.", -10, 10, **_LIVE)
    w2: float = field(1.0, "Weight of the extras in the blend.", -10, 10, **_LIVE)
    noise_factor: float = field(
        0.1, "Largest standard deviation of the noise on each crop.", 0, 2, **_LIVE
    )
    learning_rate: float = field(0.1, "Step size of the optimizer.", 0.0001, 10, **_LIVE)
    wd: float = field(0.0, "Weight decay of the optimizer.", 0, 1, live=True)
    total_iter: int = field(
        20,
        "Length of the run; without a draft, as with official models, 300 are usual.",
        1,
        100_000,
        unit="iterations",
        **_LIVE,
    )
    show_step: int = field(
        5, "Interval at which a picture is shown and saved.", 1, 100_000, unit="iterations"
    )
    im_shape: tuple[int, int] = field(
        (256, 256), "Width and height of the picture.", 32, 4096, unit="pixels"
    )
    seed: int | None = field(
        None, "Same seed, same picture; without one, a new seed is drawn.", 0, 2**32 - 1
    )

    exclude_weight: float = _crops(0.5, "Strength of the push away from exclude.", 0, 10, **_LIVE)
    story_step: int = _crops(
        0, "Length of each phrase of a story; 0: equal shares.", 0, 100_000, unit="iterations"
    )
    story_fade: int = _crops(
        0, "Time over which each phrase of a story fades in.", 0, 10_000, unit="iterations", **_LIVE
    )
    story_window: int = _crops(
        0,
        "Words of a long text that CLIP reads at a time, as a window slides over it; 0: all.",
        0,
        75,
        unit="words",
    )
    distance: str = _crops(
        "great_circle",
        "Distance between CLIP embeddings: half the squared angle, or negative cosine.",
        choices=("great_circle", "cosine"),
    )
    cutn: int = _crops(16, "Crops that CLIP sees in each iteration.", 1, 512, unit="crops")
    cut_method: str = _crops(
        "studio",
        "How crops are made; all but studio come from public notebooks.",
        choices=_METHODS,
    )
    cut_pow: float = _crops(
        1.0, "Above 1: smaller crops with original, updated and nrupdated.", 0.1, 10
    )
    augment: str = _crops(
        "",
        "Augmentations of the crops after the method's own, as name:strength or nerdyrodent's code, "
        "e.g. 'perspective:0.5 jitter:0.1 erase:0.3 flip:1 affine:15'; 'only Ro Pe Er' instead of "
        "its own; 'none' without any.",
    )

    optimizer: str = _loss(
        "AdamW",
        "Optimizer from torch.optim.",
        choices=("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "SGD"),
    )
    beta1: float = _loss(0.9, "Adam beta1 (momentum for SGD).", 0, 0.999)
    beta2: float = _loss(0.999, "Adam beta2.", 0, 0.9999)
    schedule: str = _loss(
        "constant",
        "Learning rate schedule: cosine falls to 1 %, warm_up rises during the first tenth of the "
        "run, drop falls to 10 % for the last quarter.",
        choices=("constant", "cosine", "warm_up", "drop"),
        **_LIVE,
    )
    auto_stop: int = _loss(
        0,
        "Stop after this long without progress; 0: never.",
        0,
        100_000,
        unit="iterations",
        **_LIVE,
    )
    draft_weight: float = _loss(
        3.0, "Weight of the distance to the model's draft, if any; 0: CLIP alone.", 0, 100, **_LIVE
    )
    vq_weight: float = _loss(
        0.0, "Weight of the commitment loss (distance of the latent to its codes).", 0, 100, **_LIVE
    )
    gan_weight: float = _loss(
        0.0, "Weight of the realism score of the checkpoint's discriminator.", 0, 100, **_LIVE
    )
    tv_weight: float = _loss(
        0.0, "Weight of total variation; smooths the picture.", 0, 1000, **_LIVE
    )
    init_weight: float = _loss(
        0.0, "Weight of half the squared distance to the initial latent.", 0, 1000, **_LIVE
    )
    zero_weight: float = _loss(
        0.0, "Weight of the latent's mean square, fading as in nerdyrodent's notebook.", 0, 1000
    )
    ema: float = _loss(
        0.0, "Decay of a moving average of the latent, shown instead of it; 0: off.", 0, 0.9999
    )
    coarse: float = _loss(0.0, "Fraction of the run, at its start, painted at half size.", 0, 0.9)
    coarse_steps: int = _loss(
        1, "Sizes of the coarse part: 1: half; 2: a quarter, then half; and so on.", 1, 4
    )

    batch_size: int = _model(1, "Pictures painted at the same time.", 1, 64, unit="pictures")
    start: str = _model(
        "draft",
        "Initial latent: random codes; the model's draft (codes if there is none, or draft_weight "
        "is 0); sine of noise; or an encoded picture of fine (pixels) or coarse (gradients) noise.",
        choices=("codes", "draft", "sine", "pixels", "gradients"),
    )
    init_image: str = _model("", "Picture, or a run's latents, to start from: path or URL.")
    mask: str = _model("", "Picture: white areas are painted, black ones stay as in init_image.")
    picture_method: str = _model(
        "studio",
        "How pictures are read: studio crops init_image to fit and embeds a picture prompt whole; "
        "notebook squashes init_image onto the codebook and embeds crops of a picture prompt.",
        choices=("studio", "notebook"),
    )
    tile: bool = _model(False, "Make the edges match, so that the picture tiles seamlessly.")
    quantizer: str = _model(
        "straight_through",
        "How the latent becomes codes: nearest code, weighted mean, sampled code, or not at all.",
        choices=("straight_through", "softmax", "gumbel", "none"),
    )
    temperature: float = _model(
        1.0,
        "Temperature of softmax and gumbel; lower is closer to the nearest code.",
        0.01,
        100,
        live=True,
    )
    clamp: bool = _model(
        True, "Keep the latent where the codes are: in their range, or of length 1 as they are."
    )
    models: str = _model("tiny", "Generator: name of a model or path of a checkpoint.")
    config: str = _model(
        "", "Path of the generator's yaml, if it has another name than its checkpoint."
    )
    clip: tuple[str, ...] = _model((), "CLIP models: names or paths; empty: the generator's own.")
    device: str = _model(
        "auto",
        "Device to compute on; auto prefers CUDA, then MPS, then the CPU; cuda:1 is the second GPU.",
        choices=("auto", "cpu", "cuda", "mps"),
        numbered="cuda:N",
    )
    precision: str = _model(
        "auto",
        "Number format; auto: half precision on a GPU.",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    threads: int = _model(
        0, "CPU threads, at most one per core; 0: leave as is.", 0, 1024, unit="threads"
    )
    metadata: bool = _model(True, "Embed the settings in pictures and films.")

    # the log of live changes: {"iteration": the first one painted with it, field: value, …}
    updates: tuple[dict, ...] = ()

    # what these settings would read, if they came from a file: see `confirmed`
    unconfirmed: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_augments(self.augment)
        if self.mask and not self.init_image:
            raise ValueError("mask needs a picture whose black areas stay: set init_image too.")
        values = {name: getattr(self, name) for name in _SENTENCES}
        _check_sentences(values, values)
        object.__setattr__(self, "updates", tuple(self._checked_updates(values)))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Settings:
        """The preset `name` with `changes`; see `preset_values`."""
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}.")
        return cls.from_dict(preset_values(name, changes))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Settings from names and values; ValueError for names that are not fields."""
        _check_names(name for name in values if name != "updates")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Settings from the text that `to_json` returned; what they read is not `confirmed`."""
        try:
            values = parse_json(text)
        except ValueError as error:
            raise ValueError(f"The settings are not valid JSON: {error}.") from None
        if not isinstance(values, dict):
            raise ValueError('The settings must be a JSON object, e.g. {"prompt": "a red apple"}.')
        return cls.from_dict(values)._to_confirm()

    @classmethod
    def from_provenance(cls, text: str | bytes, name: str) -> tuple[Settings, dict]:
        """The settings, with the log of live changes, in untrusted JSON, and the whole record.

        text: the provenance that a picture carries, or a run's settings.json
        name: what error messages call it

        What they read is not `confirmed`. Raises ValueError with one sentence, whatever is wrong
        with it.
        """
        try:
            record = parse_json(text)
            settings = cls.from_dict(record["settings"] | {"updates": record["updates"]})
            return settings._to_confirm(), record
        except (TypeError, KeyError, AttributeError):
            reason = 'expected {"settings": {…}, "updates": […]}'
        except ValueError as error:
            reason = reason_of(error)
        raise ValueError(f"{name} cannot be read: {reason}.")

    @classmethod
    def from_png(cls, path: str | Path) -> Settings:
        """The settings that made a picture, live changes included, from the picture itself.

        Pictures that it began with are taken from its run's folder, if that still exists; what else
        the settings read is not `confirmed`. Warns if the picture was changed since. Raises
        ValueError if it carries no settings.
        """
        image = open_picture(path)
        text = provenance_in(image)
        if not text:
            raise ValueError(f"{path} carries no settings: it was not painted by vqclip_nb.")
        settings, record = cls.from_provenance(text, f"The settings in {path}")
        if not isinstance(record.get("inputs"), dict):
            raise ValueError(f"The settings in {path} cannot be read: 'inputs' is missing.")
        if record.get("pixels") != checksum(image):
            warnings.warn(
                f"{path} was changed after it was painted: its settings made the original.",
                stacklevel=2,
            )
        own = cls.from_dict(with_copies(settings.to_dict(), record["inputs"], Path(path)))
        return own._to_confirm(settings.unconfirmed)

    def confirmed(self) -> Settings:
        """A copy that may read the paths and addresses in it, although they come from a file.

        Settings from a picture or JSON paint nothing that reads more than their own run's folder
        and the registered models before they are confirmed: look at `unconfirmed` first.
        """
        return dataclasses.replace(self, unconfirmed=())

    def _to_confirm(self, sources: Iterable[str] | None = None) -> Settings:
        """A copy in which these sources, of those that it has, are to be confirmed: or all."""
        own = sources_in(self.to_dict())
        kept = tuple(own if sources is None else (each for each in own if each in set(sources)))
        if kept == self.unconfirmed:
            return self  # making a copy checks everything again
        return dataclasses.replace(self, unconfirmed=kept)

    @property
    def story(self) -> list[list[Prompt]]:
        """The prompts of each phrase, in order; a window sliding over a long text makes several."""
        return parse_story(self.prompt, self.story_window)

    def at(self, iteration: int) -> Settings:
        """The settings of one iteration, counted from 1: live changes applied, the log empty."""
        values = self.to_dict() | {"updates": ()}
        for update in self.updates:
            if update["iteration"] <= iteration:
                values |= update
        values.pop("iteration", None)
        return type(self).from_dict(values)._to_confirm(self.unconfirmed)

    def updated(self, iteration: int, **changes: Any) -> Settings:
        """A copy with one more entry in the log of live changes.

        Raises ValueError for a field that cannot change while painting.
        """
        return self.replace(updates=[*self.updates, {"iteration": iteration, **changes}])

    def _checked_updates(self, values: dict) -> Iterator[dict]:
        """The entries of the log with each value as its field stores it.

        values: those of `_SENTENCES` before the first entry

        The time for each entry does not depend on the number of fields or of entries, since the log
        of a long run is checked after every change.
        """
        if not isinstance(self.updates, list | tuple):
            raise ValueError(f"updates must be a list of live changes, got {shown(self.updates)}.")
        if len(self.updates) > _MOST_UPDATES:
            raise ValueError(
                f"updates has {len(self.updates)} live changes, allowed is {_MOST_UPDATES}."
            )
        known, latest = specs(), 1
        for update in self.updates:
            if not isinstance(update, dict):
                raise ValueError(
                    f"updates must be a list of live changes, got {shown(update)} in it."
                )
            changes = {name: value for name, value in update.items() if name != "iteration"}
            iteration = update.get("iteration")
            if type(iteration) is not int or iteration < latest:
                raise ValueError(
                    f"The live change {shown(update)} must have an iteration, {latest} or later."
                )
            _check_names(changes)
            for name, value in changes.items():
                if not known[name].live:
                    raise ValueError(f"{name} cannot change while painting: start a new run.")
                changes[name] = known[name].check(value)
            sentences = {name: value for name, value in changes.items() if name in _SENTENCES}
            if sentences:
                values = values | sentences
                _check_sentences(values, sentences)
            latest = iteration
            yield {"iteration": latest} | changes

    def replace(self, **changes: Any) -> Settings:
        """A copy with some fields changed; what the changes read needs no confirmation."""
        given = sources_in(changes) if self.unconfirmed else []
        left = [each for each in self.unconfirmed if each not in given]
        return type(self).from_dict({**self.to_dict(), **changes})._to_confirm(left)

    def to_dict(self) -> dict[str, Any]:
        """Names and values as plain JSON types."""
        values = {name: getattr(self, name) for name in specs()}
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return values | {"updates": [dict(update) for update in self.updates]}

    def to_json(self) -> str:
        """The settings as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)


@functools.cache
def specs(fields_of: type = Settings) -> dict[str, Spec]:
    """The `Spec` of every field of a dataclass, by name, in the order in which a form shows them."""
    return {
        each.name: dataclasses.replace(
            spec,
            name=each.name,
            kind="choice" if spec.choices else _KINDS[each.type],
            default=each.default,
        )
        for each in dataclasses.fields(fields_of)
        if (spec := each.metadata.get("spec"))
    }


_SENTENCES = (
    "prompt",
    "story_window",
    "extras",
    "exclude",
    "w1",
    "w2",
)  # decide together what is painted


def _check_names(names: Iterable[str]) -> None:
    """Raise ValueError for a name that is not a field's."""
    for name in names:
        if name not in specs():
            known = ", ".join([*specs(), "updates"])
            raise ValueError(f"{shown(name)} is not a setting: choose from {known}.")


def _check_sentences(values: Mapping[str, Any], changed: Collection[str]) -> None:
    """Raise ValueError if there is nothing to paint, or a sentence that changed has a wrong weight.

    values: those of `_SENTENCES`
    """
    if not {"prompt", "story_window"}.isdisjoint(changed):
        story = parse_story(values["prompt"], values["story_window"])
        if not story:
            raise ValueError(
                f"prompt must say what to paint, e.g. 'a red apple', got {shown(values['prompt'])}."
            )
        _check_prompts("prompt", [prompt for phrase in story for prompt in phrase])
    for name in ("extras", "exclude"):
        if name in changed:
            _check_prompts(name, parse_prompts(values[name]))
    if values["w1"] == 0 and (values["w2"] == 0 or not values["extras"]):
        raise ValueError("w1 is 0, so there is nothing to paint: set w1, or extras and w2.")


def change_in_words(update: dict) -> str:
    """A live change, as the log of `updates` has it, in words."""
    changes = ", ".join(f"{k} {v}" for k, v in update.items() if k != "iteration")
    return f"from iteration {update['iteration']}: {changes}"


def _check_prompts(name: str, prompts: list[Prompt]) -> None:
    """Raise ValueError for more sentences, or larger weights, than a picture can follow."""
    if len(prompts) > _MOST_PHRASES:
        raise ValueError(f"{name} has {len(prompts)} sentences, allowed is {_MOST_PHRASES}.")
    for prompt in prompts:
        for number in (prompt.weight, prompt.stop):
            if abs(number) > _LARGEST_WEIGHT and number != -math.inf:
                raise ValueError(
                    f"{name} has the weight or stop {number:g} in it, allowed is "
                    f"-{_LARGEST_WEIGHT:g} to {_LARGEST_WEIGHT:g}."
                )


def drawn_seed() -> int:
    """A new random seed."""
    return random.SystemRandom().randrange(2**32)


def _number(spec: Spec, value: Any) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not spec.minimum <= value <= spec.maximum:  # false for nan
        raise ValueError
    return float(value)


def _whole(spec: Spec, value: Any) -> int:
    if not _number(spec, value).is_integer():
        raise ValueError
    return int(value)


def _seed(spec: Spec, value: Any) -> int | None:
    return None if value is None else _whole(spec, value)


def _switch(spec: Spec, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(spec: Spec, value: Any) -> str:
    if not isinstance(value, str) or (spec.choices and not _is_choice(spec, value)):
        raise ValueError
    if len(value) > _LONGEST:
        raise ValueError
    return value


def _is_choice(spec: Spec, value: str) -> bool:
    form = re.escape(spec.numbered).replace("N", "[0-9]{1,3}")
    return value in spec.choices or (bool(form) and re.fullmatch(form, value) is not None)


def _shape(spec: Spec, value: Any) -> tuple[int, int]:
    if isinstance(value, str | bytes) or len(value) not in (2, 3):
        raise ValueError
    width, height, *channels = value
    if channels not in ([], [3]):
        raise ValueError
    return _whole(spec, width), _whole(spec, height)


def _names(spec: Spec, value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) and v for v in values):
        raise ValueError
    if len(values) > _MOST_NAMES or max(map(len, values), default=0) > _LONGEST:
        raise ValueError
    return tuple(values)


_KINDS = {  # by annotation; text with choices is of the kind "choice"
    "bool": "switch",
    "str": "text",
    "float": "number",
    "int": "whole number",
    "int | None": "seed",
    "tuple[int, int]": "shape",
    "tuple[str, ...]": "names",
}
_RULES = {  # by kind: the allowed values in words, and the check
    "switch": ("True or False", _switch),
    "text": (f"text of at most {_LONGEST} characters", _text),
    "choice": ("{limits}", _text),
    "number": ("a number {limits}", _number),
    "whole number": ("a whole number {limits}", _whole),
    "seed": ("a whole number {limits}, or None", _seed),
    "shape": ("(width, height) or (width, height, 3) with sides {limits}", _shape),
    "names": (f"a list of names or paths, at most {_MOST_NAMES}", _names),
}


def preset_values(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The values of the preset `name` with `changes` on top.

    AdamW keeps torch's own weight decay in a preset that sets none, as in the public loops.
    """
    values = PRESETS[name] | changes
    if "wd" not in values and name in _TORCH_DECAY and values["optimizer"] == "AdamW":
        values["wd"] = 0.01
    return values


# No public loop has a draft.
_PEERS: dict[str, Any] = {"draft_weight": 0.0, "start": "codes", "cut_pow": 1.0}
_TORCH_DECAY = ("crowson", "nerdyrodent")
PRESETS: dict[str, dict[str, Any]] = {
    "studio": {},
    # The maths of the public loops; picture size and length of the run are left to the user.
    "classic": _PEERS
    | {"learning_rate": 0.5, "wd": 0.15, "noise_factor": 0.22, "w1": 1.0, "w2": 0.1}
    | {"cutn": 32, "cut_method": "padded", "distance": "cosine", "start": "sine"}
    | {"quantizer": "none", "clamp": False, "exclude_weight": 0.5},
    "crowson": _PEERS
    | {"learning_rate": 0.05, "optimizer": "Adam", "cutn": 64, "cut_method": "original"}
    | {"noise_factor": 0.0, "picture_method": "notebook"},
    "nerdyrodent": _PEERS
    | {"learning_rate": 0.1, "optimizer": "Adam", "cutn": 32, "cut_method": "latest"}
    | {"noise_factor": 0.1, "picture_method": "notebook"},
    # Robust CLIPs, and what others measured with them: more crops help up to 40, and three sizes
    # for 25, 25 and 50 % of the run beat one. Not yet measured here.
    "robust": {"clip": ("FARE4-B/32", "SigLIP2-B/16"), "cutn": 40}
    | {"coarse": 0.5, "coarse_steps": 2},
}
