"""The settings of a run, and the field system from which forms, flags and documentation are made.

Each field is declared once, by `field`; `specs` lists what is known about the fields of a class.
Names are those of the public VQGAN+CLIP notebooks.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import numbers
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqclip_nb.pictures import checksum, open_picture, provenance_in, with_copies
from vqclip_nb.prompt_syntax import parse_augments, parse_prompts, parse_story


@dataclass(frozen=True)
class Spec:
    """What a form, a flag, a help text and a check need to know about one field.

    help: one or two sentences
    minimum, maximum: the range of a number, or of each side of a shape
    live: can change while a run paints
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
            return "one of " + ", ".join(self.choices)
        return "" if self.minimum is None else f"from {self.minimum:g} to {self.maximum:.10g}"

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return _RULES[self.kind][0].format(limits=self.limits)

    def check(self, value: Any) -> Any:
        """The value as the field stores it; ValueError with one sentence if it is not allowed."""
        try:
            return _RULES[self.kind][1](self, value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name} must be {self.allowed}, got {value!r}.") from None


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
    total_iter: int = field(150, "Length of the run.", 1, 100_000, unit="iterations", **_LIVE)
    show_step: int = field(
        25, "Interval at which a picture is shown and saved.", 1, 100_000, unit="iterations"
    )
    im_shape: tuple[int, int] = field(
        (128, 128), "Width and height of the picture.", 32, 4096, unit="pixels"
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
        "More augmentations of the crops, as name:strength, e.g. "
        "'perspective:0.5 jitter:0.1 erase:0.3 flip:1 affine:15'.",
    )

    optimizer: str = _loss(
        "AdamW",
        "Optimizer from torch.optim.",
        choices=("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "SGD"),
    )
    beta1: float = _loss(0.9, "Adam beta1 (momentum for SGD).", 0, 0.999)
    beta2: float = _loss(0.999, "Adam beta2 (alpha for RMSprop).", 0, 0.9999)
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
        1.0, "Weight of the distance to the model's draft, if any; 0: CLIP alone.", 0, 100, **_LIVE
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
        0.0, "Weight of the distance to the initial latent.", 0, 1000, **_LIVE
    )
    zero_weight: float = _loss(
        0.0, "Weight of the latent's mean square, fading as in nerdyrodent's notebook.", 0, 1000
    )
    ema: float = _loss(
        0.0, "Decay of a moving average of the latent, shown instead of it; 0: off.", 0, 0.9999
    )
    coarse: float = _loss(0.0, "Fraction of the run, at its start, painted at half size.", 0, 0.9)

    batch_size: int = _model(1, "Pictures painted at the same time.", 1, 64, unit="pictures")
    start: str = _model(
        "codes",
        "Initial latent: random codes, the model's draft, sine of noise, or an encoded picture of "
        "fine (pixels) or coarse (gradients) noise.",
        choices=("codes", "draft", "sine", "pixels", "gradients"),
    )
    init_image: str = _model("", "Picture, or a run's latents, to start from: path or URL.")
    mask: str = _model("", "Picture: white areas are painted, black ones stay as in init_image.")
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
    clamp: bool = _model(True, "Clamp each channel of the latent to the codebook's range.")
    models: str = _model("tiny", "Generator: name of a model or path of a checkpoint.")
    clip: tuple[str, ...] = _model((), "CLIP models: names or paths; empty: the generator's own.")
    device: str = _model(
        "auto",
        "Device to compute on; auto prefers CUDA, then MPS, then the CPU.",
        choices=("auto", "cpu", "cuda", "mps"),
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not parse_story(self.prompt):
            raise ValueError(
                f"prompt must say what to paint, e.g. 'a red apple', got {self.prompt!r}."
            )
        for others in (self.extras, self.exclude):
            parse_prompts(others)
        parse_augments(self.augment)
        if self.mask and not self.init_image:
            raise ValueError("mask needs a picture whose black areas stay: set init_image too.")
        if self.w1 == 0 and (self.w2 == 0 or not self.extras):
            raise ValueError("w1 is 0, so there is nothing to paint: set w1, or extras and w2.")
        object.__setattr__(self, "updates", tuple(self._checked_updates()))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Settings:
        """The preset `name` with `changes`; see `PRESETS`."""
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}.")
        return cls.from_dict({**PRESETS[name], **changes})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Settings from names and values; ValueError for names that are not fields."""
        known = [*specs(), "updates"]
        for name in values:
            if name not in known:
                raise ValueError(f"{name!r} is not a setting: choose from {', '.join(known)}.")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Settings from the text that `to_json` returned."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"The settings are not valid JSON: {error}.") from None
        if not isinstance(values, dict):
            raise ValueError('The settings must be a JSON object, e.g. {"prompt": "a red apple"}.')
        return cls.from_dict(values)

    @classmethod
    def from_provenance(cls, text: str | bytes, name: str) -> tuple[Settings, dict]:
        """The settings, with the log of live changes, in untrusted JSON, and the whole record.

        text: the provenance that a picture carries, or a run's settings.json
        name: what error messages call it

        Raises ValueError with one sentence, whatever is wrong with it.
        """
        try:
            record = json.loads(text)
            return cls.from_dict(record["settings"] | {"updates": record["updates"]}), record
        except (TypeError, KeyError, AttributeError):
            reason = 'expected {"settings": {…}, "updates": […]}'
        except (ValueError, OverflowError, RecursionError) as error:
            reason = str(error).rstrip(".")[:300]  # it can quote a value of any length
        raise ValueError(f"{name} cannot be read: {reason}.")

    @classmethod
    def from_png(cls, path: str | Path) -> Settings:
        """The settings that made a picture, live changes included, from the picture itself.

        Pictures that it began with are taken from its run's folder, if that still exists. Warns if
        the picture was changed since. Raises ValueError if it carries no settings.
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
        return cls.from_dict(with_copies(settings.to_dict(), record["inputs"], Path(path)))

    def at(self, iteration: int) -> Settings:
        """The settings of one iteration, counted from 1: live changes applied, the log empty."""
        values = self.to_dict() | {"updates": ()}
        for update in self.updates:
            if update["iteration"] <= iteration:
                values |= update
        values.pop("iteration", None)
        return type(self).from_dict(values)

    def updated(self, iteration: int, **changes: Any) -> Settings:
        """A copy with one more entry in the log of live changes.

        Raises ValueError for a field that cannot change while painting.
        """
        return self.replace(updates=[*self.updates, {"iteration": iteration, **changes}])

    def _checked_updates(self) -> Iterator[dict]:
        """The entries of the log with each value as its field stores it."""
        if not isinstance(self.updates, list | tuple):
            raise ValueError(f"updates must be a list of live changes, got {self.updates!r}.")
        values, latest = self.to_dict() | {"updates": ()} if self.updates else {}, 1
        for update in self.updates:
            if not isinstance(update, dict):
                raise ValueError(f"updates must be a list of live changes, got {update!r} in it.")
            changes = {name: value for name, value in update.items() if name != "iteration"}
            iteration = update.get("iteration")
            if type(iteration) is not int or iteration < latest:
                raise ValueError(
                    f"The live change {update!r} must have an iteration, {latest} or later."
                )
            for name in changes:
                if name in specs() and not specs()[name].live:
                    raise ValueError(f"{name} cannot change while painting: start a new run.")
            latest = iteration
            values = type(self).from_dict(values | changes).to_dict()
            yield {"iteration": latest} | {name: values[name] for name in changes}

    def replace(self, **changes: Any) -> Settings:
        """A copy with some fields changed."""
        return type(self).from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Names and values as plain JSON types."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

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


def change_in_words(update: dict) -> str:
    """A live change, as the log of `updates` has it, in words."""
    changes = ", ".join(f"{k} {v}" for k, v in update.items() if k != "iteration")
    return f"from iteration {update['iteration']}: {changes}"


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
    if not isinstance(value, str) or (spec.choices and value not in spec.choices):
        raise ValueError
    return value


def _shape(spec: Spec, value: Any) -> tuple[int, int]:
    if isinstance(value, str | bytes):
        raise ValueError
    width, height, *channels = value
    if channels not in ([], [3]):
        raise ValueError
    return _whole(spec, width), _whole(spec, height)


def _names(spec: Spec, value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) and v for v in values):
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
    "text": ("text", _text),
    "choice": ("{limits}", _text),
    "number": ("a number {limits}", _number),
    "whole number": ("a whole number {limits}", _whole),
    "seed": ("a whole number {limits}, or None", _seed),
    "shape": ("(width, height) or (width, height, 3) with sides {limits}", _shape),
    "names": ("a list of names or paths", _names),
}

# No public loop has a draft.
_PEERS: dict[str, Any] = {"draft_weight": 0.0, "cut_pow": 1.0}
PRESETS: dict[str, dict[str, Any]] = {
    "studio": {},
    # The maths of the public loops; picture size and length of the run are left to the user.
    "classic": _PEERS
    | {"learning_rate": 0.5, "wd": 0.15, "noise_factor": 0.22, "w1": 1.0, "w2": 0.1}
    | {"cutn": 32, "cut_method": "padded", "distance": "cosine", "start": "sine"}
    | {"quantizer": "none", "clamp": False, "exclude_weight": 0.5},
    "crowson": _PEERS
    | {"learning_rate": 0.05, "optimizer": "Adam", "cutn": 64, "cut_method": "original"}
    | {"noise_factor": 0.0},
    "nerdyrodent": _PEERS
    | {"learning_rate": 0.1, "optimizer": "Adam", "cutn": 32, "cut_method": "latest"}
    | {"noise_factor": 0.1},
}
