"""What a sweep paints: every combination of some settings' values, or what a file says of them.

Nothing heavy is imported here: a wrong file is told before torch is loaded.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import PRESETS, Settings, drawn_seed, specs


@dataclass(frozen=True)
class Plan:
    """One run of a sweep.

    values: what sets it apart, names and values of the grid
    name: of its folder; the same settings have the same name in every sweep
    """

    settings: Settings
    values: dict[str, object]
    name: str


def combinations(
    grid: Mapping[str, Sequence], settings: Settings, seed: int | None = None
) -> list[Plan]:
    """Every combination of the grid's values; the last field varies fastest.

    grid: fields of `Settings`, or `preset`, each with the values that it should take
    settings: all other fields; a preset changes those that are as by default
    seed: of all that have none; by default one is drawn

    Raises ValueError where a combination is not allowed.
    """
    for name, values in grid.items():
        if name != "preset" and name not in specs():
            raise ValueError(f"{name!r} is no setting: a grid has fields of settings, or preset.")
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise ValueError(f"The grid's {name} is {values!r}: give a list of values.")
    if not grid:
        raise ValueError("The grid is empty: give a field and its values, e.g. prompt and two.")
    seed = drawn_seed() if seed is None else seed
    plans = {}
    for values in itertools.product(*grid.values()):
        plan = _plan(dict(zip(grid, values, strict=True)), settings, seed)
        plans.setdefault(plan.name, plan)  # what is asked for twice is painted once
    return list(plans.values())


def read_sweep(file: Path) -> tuple[dict[str, list], dict[str, object]]:
    """The grid of a file, and the other settings that it says.

    file: `.toml` with the tables [grid] and [settings]; or text with one prompt a line, where
        lines that begin with # do not count

    Raises ValueError with one sentence where it is neither.
    """
    try:
        text = file.read_text(encoding="utf-8")
        said = tomllib.loads(text) if file.suffix == ".toml" else None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}.") from None
    if said is None:
        lines = [line.strip() for line in text.splitlines()]
        prompts = [line for line in lines if line and not line.startswith("#")]
        if not prompts:
            raise ValueError(f"{file} holds no prompt: write one a line.")
        return {"prompt": prompts}, {}
    tables = {name: said.pop(name, {}) for name in ("grid", "settings")}
    if said or not all(isinstance(table, dict) for table in tables.values()):
        raise ValueError(f"{file} should have two tables, [grid] and [settings], and no more.")
    return tables["grid"], tables["settings"]


def in_words(values: Mapping[str, object]) -> str:
    """What sets a run apart, without its prompt."""
    return ", ".join(
        f"no {k}" if v == "" else f"{k} {v}" for k, v in values.items() if k != "prompt"
    )


def _plan(values: dict[str, object], settings: Settings, seed: int) -> Plan:
    changes = dict(values)
    if "preset" in changes:
        preset = changes.pop("preset")
        if preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}: allowed is one of {', '.join(PRESETS)}.")
        usual = Settings().to_dict()
        chosen = {k: v for k, v in settings.to_dict().items() if v != usual[k]}
        changes = PRESETS[preset] | chosen | changes
    planned = settings.replace(**changes)
    if planned.seed is None:
        planned = planned.replace(seed=seed)
    return Plan(planned, values, _name(planned, values))


def _name(settings: Settings, values: dict[str, object]) -> str:
    """Words of the prompt and a checksum of the settings.

    The threads count only where the grid has them: a sweep that moves to another machine goes on.
    """
    said = json.dumps(settings.to_dict() | {"threads": values.get("threads")}, sort_keys=True)
    return "-".join(
        filter(None, [slug(settings.prompt), hashlib.sha256(said.encode()).hexdigest()[:12]])
    )
