"""Flags made from the `Spec` of fields, and the values given by them."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, _ArgumentGroup
from collections.abc import Callable
from functools import partial

from vqclip_nb.cli.output import add_output
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.settings import PRESETS, Settings, Spec, specs

_USUAL = {  # the settings that --help shows; --help-all shows the others too
    "what to paint": ("extras", "exclude", "w1", "w2", "init_image", "mask"),
    "how": (
        "total_iter",
        "im_shape",
        "seed",
        "batch_size",
        "cutn",
        "learning_rate",
        "noise_factor",
        "show_step",
    ),
    "models": ("models", "clip", "device"),
}


def add_flags(parser: ArgumentParser, fields_of: type, *names: str) -> None:
    """Add a flag for each field of a dataclass, or only for those named."""
    for name, spec in specs(fields_of).items():
        if not names or name in names:
            _add_flag(parser, spec)


def add_settings(parser: Parser) -> None:
    """Add the flags of every command that paints: all settings, preset, output, offline."""
    for title, names in _USUAL.items():
        group = parser.add_argument_group(title)
        for name in names:
            _add_flag(group, specs()[name])
        if title == "how":
            add_preset(group)
        if title == "models":
            group.add_argument("--offline", action="store_true", help="download nothing")
    output = add_output(parser)
    output.add_argument("--out", default="runs", help="folder for new runs (default: %(default)s)")
    usual = {"prompt", *(name for names in _USUAL.values() for name in names)}
    groups: dict[str, _ArgumentGroup] = {}
    for name, spec in specs().items():
        if name not in usual:
            title = (spec.section or "More about the run").lower()
            if title not in groups:
                groups[title] = parser.add_argument_group(title)
            _add_flag(groups[title], spec, partial(parser.add_rare, groups[title]))


def add_preset(parser: ArgumentParser | _ArgumentGroup) -> None:
    """Add `--preset`."""
    choices = ", ".join(PRESETS)
    parser.add_argument(
        "--preset",
        default="studio",
        help=f"settings to start from (default: %(default)s; one of {choices})",
    )


def given(options: dict, fields_of: type) -> dict[str, object]:
    """The values that were given for fields of a dataclass, by name; not yet checked."""
    return {
        name: _parsed(options[name]) if spec.kind in _PARSED else options[name]
        for name, spec in specs(fields_of).items()
        if name in options
    }


def settings(options: dict, **changes: object) -> Settings:
    """The settings of the preset, with `changes` and then the given flags on top."""
    return Settings.preset(options["preset"], **changes | given(options, Settings))


_PARSED = ("number", "whole number", "seed", "shape")


def _parsed(value: str | list[str]) -> object:
    """Numbers where the words are numbers; the check of the field refuses the rest."""
    if isinstance(value, list):
        return [_parsed(item) for item in value]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _add_flag(
    parser: ArgumentParser | _ArgumentGroup, spec: Spec, add: Callable[..., None] | None = None
) -> None:
    """Add the flag of a field, by `parser.add_argument` or by another function like it."""
    options: dict = {"metavar": spec.name.upper()}
    if spec.kind == "shape":
        options = {"nargs": "+", "metavar": ("WIDTH", "HEIGHT")}
    elif spec.kind == "names":
        options = {"nargs": "+", "action": "extend", "metavar": "NAME"}
    elif spec.kind == "switch":
        options = {"action": BooleanOptionalAction}
    flag, text = "--" + spec.name.replace("_", "-"), f"{spec.help} {_default(spec)}".strip()
    (add or parser.add_argument)(flag, default=SUPPRESS, help=text.replace("%", "%%"), **options)


def _default(spec: Spec) -> str:
    """The default and the limits of a field, in brackets."""
    shown = spec.default
    if spec.kind == "switch":
        shown = "on" if spec.default else "off"
    elif isinstance(shown, tuple):
        shown = " ".join(map(str, shown))
    facts = [] if shown in ("", None) else [f"default: {shown}"]
    if spec.limits:
        facts.append(f"{spec.limits} {spec.unit}".strip())
    return f"({'; '.join(facts)})" if facts else ""
