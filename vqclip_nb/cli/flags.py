"""Flags made from the `Spec` of fields, and the values given by them."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction

from vqclip_nb.settings import PRESETS, Settings, Spec, specs


def add_flags(parser: ArgumentParser, fields_of: type, *names: str) -> None:
    """Add a flag for each field of a dataclass, or only for those named."""
    for name, spec in specs(fields_of).items():
        if not names or name in names:
            _add_flag(parser, spec)


def add_settings(parser: ArgumentParser) -> None:
    """Add the flags of every command that paints: all settings, preset, out, offline, json."""
    add_flags(parser, Settings, *(name for name in specs() if name != "prompt"))
    add_preset(parser)
    parser.add_argument("--out", default="runs", help="folder for new runs (default: %(default)s)")
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_preset(parser: ArgumentParser) -> None:
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


def _add_flag(parser: ArgumentParser, spec: Spec) -> None:
    options: dict = {"metavar": spec.name.upper()}
    if spec.kind == "shape":
        options = {"nargs": "+", "metavar": ("WIDTH", "HEIGHT")}
    elif spec.kind == "names":
        options = {"nargs": "+", "action": "extend", "metavar": "NAME"}
    elif spec.kind == "switch":
        options = {"action": BooleanOptionalAction}
    flag, text = "--" + spec.name.replace("_", "-"), f"{spec.help} {_default(spec)}".strip()
    parser.add_argument(flag, default=SUPPRESS, help=text.replace("%", "%%"), **options)


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
