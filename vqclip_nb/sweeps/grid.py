"""What a sweep paints: every combination of some settings' values, from a call or a file.

Does not import torch, so that a wrong file is reported at once.
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
from vqclip_nb.settings import PRESETS, Settings, drawn_seed, preset_values, specs


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    values: the names and values of the grid that distinguish it
    name: of its folder; equal settings have the same name in every sweep
    """

    settings: Settings
    values: dict[str, object]
    name: str


def combinations(
    grid: Mapping[str, Sequence], settings: Settings, seed: int | None = None
) -> list[PlannedRun]:
    """Every combination of the grid's values; the last field varies fastest.

    grid: maps fields of `Settings`, or `preset`, to their values
    settings: all other fields; a preset changes only those that have their default
    seed: for all runs without one; by default it is drawn

    Raises ValueError if a combination is not allowed.
    """
    for name, values in grid.items():
        if name != "preset" and name not in specs():
            raise ValueError(
                f"{name!r} is not a setting: a grid has fields of settings, or preset."
            )
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise ValueError(f"The grid's {name} is {values!r}: give a list of values.")
    if not grid:
        raise ValueError(
            "The grid is empty: give at least one field and its values, e.g. two prompts."
        )
    seed = drawn_seed() if seed is None else seed
    plans = {}
    for values in itertools.product(*grid.values()):
        plan = _plan(dict(zip(grid, values, strict=True)), settings, seed)
        plans.setdefault(plan.name, plan)  # the same combination is painted once
    return list(plans.values())


def read_sweep(file: Path) -> tuple[dict[str, list], dict[str, object]]:
    """The grid in a file, and the settings of all its runs.

    file: `.toml` with the tables [grid] and [settings]; or text with one prompt a line, in which
        lines that begin with # are comments

    Raises ValueError with one sentence if it is neither.
    """
    try:
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text) if file.suffix == ".toml" else None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read: {error}.") from None
    if tables is None:
        lines = [line.strip() for line in text.splitlines()]
        prompts = [line for line in lines if line and not line.startswith("#")]
        if not prompts:
            raise ValueError(f"{file} has no prompt: write one a line.")
        return {"prompt": prompts}, {}
    grid, settings = tables.pop("grid", {}), tables.pop("settings", {})
    if tables or not (isinstance(grid, dict) and isinstance(settings, dict)):
        raise ValueError(f"{file} should have two tables, [grid] and [settings], and no more.")
    return grid, settings


def in_words(values: Mapping[str, object]) -> str:
    """The values that distinguish a run, without its prompt, in words."""
    return ", ".join(
        f"no {k}" if v == "" else f"{k} {v}" for k, v in values.items() if k != "prompt"
    )


def _plan(values: dict[str, object], settings: Settings, seed: int) -> PlannedRun:
    changes = dict(values)
    if "preset" in changes:
        preset = changes.pop("preset")
        if preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}: allowed is one of {', '.join(PRESETS)}.")
        usual = Settings().to_dict()
        chosen = {k: v for k, v in settings.to_dict().items() if v != usual[k]}
        changes = preset_values(preset, chosen | changes)
    planned = settings.replace(**changes)
    if planned.seed is None:
        planned = planned.replace(seed=seed)
    return PlannedRun(planned, values, _name(planned, values))


def _name(settings: Settings, values: dict[str, object]) -> str:
    """Words of the prompt and a checksum of the settings.

    Threads count only if the grid has them, so that a sweep can continue on another machine.
    """
    text = json.dumps(settings.to_dict() | {"threads": values.get("threads")}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return "-".join(filter(None, [slug(settings.prompt), digest]))
