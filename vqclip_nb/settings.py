"""Every parameter of a run, once: default, range, unit, help, and whether it can change live.

The form, the command line, the documentation and the picture's metadata are all made from here.
Names are those of the seed notebooks and of the field.
"""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vqclip_nb.pictures import checksum, open_picture, provenance_in, with_copies
from vqclip_nb.prompt_syntax import parse_augments, parse_prompts, parse_story


@dataclass(frozen=True)
class Spec:
    """What a form, a help text and a check need to know of one field."""

    help: str
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    live: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"from {self.minimum:g} to {self.maximum:.10g}"
        return f"{self.minimum:g} or more" if self.minimum is not None else "any text"


def _field(default: Any, help: str, *limits: float, **more: Any) -> Any:
    minimum, maximum = (*limits, None, None)[:2]
    spec = Spec(help, minimum, maximum, **more)
    return field(default=default, metadata={"spec": spec})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parameters of a run; checked when made, equal when equal, never changed in place.

    Raises ValueError with one sentence that names the field, the value and what is allowed.
    """

    prompt: str = _field("a red apple", "What to paint: sentences, pictures, a story.", live=True)
    extras: str = _field("", "Style or mood blended into the prompt, e.g. 'night sky'.", live=True)
    exclude: str = _field("", "What to keep out of the picture.", live=True)
    w1: float = _field(1.0, "Weight of the prompt in the blend.", -10, 10, live=True)
    w2: float = _field(1.0, "Weight of the extras in the blend.", -10, 10, live=True)
    exclude_weight: float = _field(0.5, "How hard to push away from exclude.", 0, 10, live=True)
    noise_factor: float = _field(0.1, "Noise on the crops that CLIP judges.", 0, 2, live=True)
    learning_rate: float = _field(0.1, "Step size on the latent.", 0.0001, 10, live=True)
    wd: float = _field(0.0, "Weight decay of the optimizer on the latent.", 0, 1, live=True)
    total_iter: int = _field(150, "How long to paint.", 1, 100_000, unit="iterations", live=True)
    show_step: int = _field(
        25, "How often to show and keep a picture.", 1, 100_000, unit="iterations"
    )
    batch_size: int = _field(1, "Pictures painted side by side.", 1, 64, unit="pictures")
    im_shape: tuple[int, int] = _field(
        (128, 128), "Width and height of the picture.", 32, 4096, unit="pixels"
    )
    seed: int | None = _field(
        None, "Same seed, same picture; empty draws one and records it.", 0, 2**32 - 1
    )
    story_step: int = _field(
        0, "Iterations of each phrase of a story; 0: all of one length.", 0, 100_000
    )
    story_fade: int = _field(0, "Iterations over which a phrase fades in.", 0, 10_000, live=True)
    cutn: int = _field(16, "Crops that CLIP judges in each iteration.", 1, 512, unit="crops")
    cut_method: str = _field(
        "studio",
        "How crops are cut; all but studio are the public notebooks'.",
        choices=(
            "studio",
            "original",
            "updated",
            "nrupdated",
            "updatedpooling",
            "latest",
            "padded",
        ),
    )
    cut_pow: float = _field(
        1.0, "Above 1 the crops of original, updated, nrupdated are smaller.", 0.1, 10
    )
    augment: str = _field(
        "",
        "More changes of the crops, e.g. 'perspective:0.5 jitter:0.1 erase:0.3 flip:1 affine:15'.",
    )
    distance: str = _field(
        "great_circle", "How CLIP's embeddings are compared.", choices=("great_circle", "cosine")
    )
    start: str = _field(
        "codes",
        "What a painting begins with.",
        choices=("codes", "sine", "pixels", "gradients"),
    )
    init_image: str = _field("", "A picture, or a run's latents, to begin with: path or url.")
    mask: str = _field("", "A picture: white is painted, black stays as in init_image.")
    tile: bool = _field(False, "Paint a tile whose edges fit each other.")
    quantizer: str = _field(
        "straight_through",
        "How the latent becomes codes.",
        choices=("straight_through", "softmax", "gumbel", "none"),
    )
    temperature: float = _field(
        1.0, "Of softmax and gumbel; lower is harder.", 0.01, 100, live=True
    )
    clamp: bool = _field(True, "Keep the latent where the codebook is.")
    ema: float = _field(0.0, "Decay of the latent's moving average, which is shown.", 0, 0.9999)
    coarse: float = _field(0.0, "Share of the iterations painted at half the size.", 0, 0.9)
    optimizer: str = _field(
        "AdamW",
        "The optimizer, one of torch's.",
        choices=("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "SGD"),
    )
    beta1: float = _field(0.9, "Memory of the gradient; SGD's momentum.", 0, 0.999)
    beta2: float = _field(0.999, "Memory of the squared gradient.", 0, 0.9999)
    schedule: str = _field(
        "constant",
        "How the learning rate changes.",
        choices=("constant", "cosine", "warm_up", "drop"),
        live=True,
    )
    auto_stop: int = _field(
        0, "Stop after so many iterations without improvement; 0: never.", 0, 100_000, live=True
    )
    vq_weight: float = _field(0.0, "Pull of the latent to its codes.", 0, 100, live=True)
    gan_weight: float = _field(
        0.0, "Pull to what the checkpoint's own discriminator finds real.", 0, 100, live=True
    )
    tv_weight: float = _field(0.0, "Pull to smooth pictures.", 0, 1000, live=True)
    init_weight: float = _field(0.0, "Pull to the latent at the start.", 0, 1000, live=True)
    zero_weight: float = _field(0.0, "Pull to zero that fades, as in nerdyrodent.", 0, 1000)
    draft_weight: float = _field(
        1.0, "Pull to the draft of a pair that has one; 0: CLIP alone.", 0, 100, live=True
    )
    models: str = _field("tiny", "Generator: a model's name or a checkpoint's path.")
    clip: tuple[str, ...] = _field((), "Critics: names or paths; empty takes the model's own.")
    device: str = _field("auto", "Where to compute.", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = _field(
        "auto", "How to compute; auto: half on a GPU.", choices=("auto", "fp32", "bf16", "fp16")
    )
    threads: int = _field(
        0,
        "CPU threads of this process from then on, up to its cores; 0: as they are.",
        0,
        1024,
        unit="threads",
    )
    metadata: bool = _field(True, "Write the settings into pictures and films.")
    # the log of live changes: {"iteration": the first that is painted so, field: value, …}
    updates: tuple[dict, ...] = ()

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if not parse_story(self.prompt):
            raise ValueError(f"prompt is {self.prompt!r}: write what to paint, e.g. 'a red apple'.")
        for others in (self.extras, self.exclude):
            parse_prompts(others)
        parse_augments(self.augment)
        if self.mask and not self.init_image:
            raise ValueError("mask needs a picture to keep parts of: give init_image too.")
        if self.w1 == 0 and (self.w2 == 0 or not self.extras):
            raise ValueError(
                "w1 is 0 and w2 has no extras to weigh: give w1, or w2 and extras, a weight."
            )
        if self.updates:
            object.__setattr__(self, "updates", tuple(self._checked_updates()))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Settings:
        """The preset `name` with `changes`; see `PRESETS`."""
        if name not in PRESETS:
            raise ValueError(f"preset is {name!r}: allowed is one of {', '.join(PRESETS)}.")
        return cls.from_dict({**PRESETS[name], **changes})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Settings from names and values, refusing names that are not fields."""
        unknown = [name for name in values if name not in _CHECKS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no setting: allowed are {', '.join(_CHECKS)}.")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Settings from what `to_json` wrote."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"These settings are not JSON: {error}.") from None
        if not isinstance(values, dict):
            raise ValueError('These settings are no JSON object: expected {"prompt": …}.')
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
        """What an iteration, counted from 1, is painted with: live changes made, without a log."""
        values = self.to_dict() | {"updates": ()}
        for update in self.updates:
            if update["iteration"] <= iteration:
                values |= update
        values.pop("iteration", None)
        return type(self).from_dict(values)

    def updated(self, iteration: int, **changes: Any) -> Settings:
        """The settings with one more entry in the log.

        Raises ValueError for a field that cannot change while painting.
        """
        return self.replace(updates=[*self.updates, {"iteration": iteration, **changes}])

    def _checked_updates(self) -> Iterator[dict]:
        """The log, its values as their fields have them."""
        values, latest = self.to_dict() | {"updates": ()}, 1
        for update in self.updates:
            names = [name for name in update if name != "iteration"]
            if type(update.get("iteration")) is not int or update["iteration"] < latest:
                raise ValueError(
                    f"The live change {update!r} has no iteration, or one before the last change."
                )
            for name in names:
                if name in specs() and not specs()[name].live:
                    raise ValueError(f"{name} cannot change while painting: start a new run.")
            latest = update["iteration"]
            values = type(self).from_dict(values | {name: update[name] for name in names}).to_dict()
            yield {"iteration": latest} | {name: values[name] for name in names}

    def replace(self, **changes: Any) -> Settings:
        """A copy with some fields changed."""
        return type(self).from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Names and values, made of plain JSON types."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def to_json(self) -> str:
        """The settings as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)


def specs() -> dict[str, Spec]:
    """The `Spec` of every field, in the order in which a form should show them."""
    fields = dataclasses.fields(Settings)
    return {f.name: f.metadata["spec"] for f in fields if "spec" in f.metadata}


def change_in_words(update: dict) -> str:
    """A live change, as the log of `updates` has it, in words."""
    changes = ", ".join(f"{k} {v}" for k, v in update.items() if k != "iteration")
    return f"from iteration {update['iteration']}: {changes}"


def drawn_seed() -> int:
    """A new seed."""
    return random.SystemRandom().randrange(2**32)


def _refuse(name: str, value: Any, allowed: str) -> ValueError:
    return ValueError(f"{name} is {value!r}: allowed is {allowed}.")


def _number(name: str, value: Any) -> float:
    spec = specs()[name]
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not spec.minimum <= value <= spec.maximum:
        raise _refuse(name, value, f"a number {spec.allowed}")
    return float(value)


def _whole(name: str, value: Any) -> int:
    spec = specs()[name]
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or value != value or abs(value) == math.inf or int(value) != value:
        raise _refuse(name, value, f"a whole number {spec.allowed}")
    if not spec.minimum <= value <= spec.maximum:
        raise _refuse(name, value, f"a whole number {spec.allowed}")
    return int(value)


def _seed(name: str, value: Any) -> int | None:
    return None if value is None else _whole(name, value)


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(name, value, "True or False")
    return value


def _text(name: str, value: Any) -> str:
    choices = specs()[name].choices
    if not isinstance(value, str):
        raise _refuse(name, value, "text")
    if choices and value not in choices:
        raise _refuse(name, value, specs()[name].allowed)
    return value


def _shape(name: str, value: Any) -> tuple[int, int]:
    rule = "width and height, e.g. (128, 128); a third value must be 3"
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        raise _refuse(name, value, rule)
    values = list(value)
    if len(values) not in (2, 3) or values[2:] not in ([], [3]):
        raise _refuse(name, value, rule)
    return _whole(name, values[0]), _whole(name, values[1])


def _names(name: str, value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, str) and v for v in values):
        raise _refuse(name, value, "a list of names or paths")
    return tuple(values)


def _log(name: str, value: Any) -> tuple[dict, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, dict) for each in value):
        raise _refuse(name, value, "a list of live changes")
    return tuple(value)


_KINDS = {"bool": _switch, "str": _text, "float": _number, "int": _whole, "int | None": _seed}
_KINDS |= {"tuple[int, int]": _shape, "tuple[str, ...]": _names, "tuple[dict, ...]": _log}
_CHECKS = {f.name: _KINDS[f.type] for f in dataclasses.fields(Settings)}

_PEERS: dict[str, Any] = {"draft_weight": 0.0, "cut_pow": 1.0}  # what none of the peers has
PRESETS: dict[str, dict[str, Any]] = {
    "studio": {},
    # The mathematics of the public loops; sizes and lengths are left to the user.
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
