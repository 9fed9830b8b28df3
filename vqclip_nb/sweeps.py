"""Many runs: every combination of some settings' values, and a contact sheet of all pictures."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from vqclip_nb.models import load_for
from vqclip_nb.run import Result, generate
from vqclip_nb.settings import Settings
from vqclip_nb.show import contact_sheet


def sweep(
    grid: dict[str, Sequence],
    settings: Settings | None = None,
    *,
    out: str | Path = "sweep",
    columns: int = 6,
    each: Callable[[int, int, Settings], None] | None = None,
) -> list[Result]:
    """Paint every combination of the grid's values, one after the other; write `out/sheet.png`.

    grid: field of `Settings` to the values it should take; the last field varies fastest
    settings: all other fields; without a seed, one is drawn and shared by all
    each: called before each run with its number from 1, the number of runs and its settings

    Raises ValueError before painting where a combination is not allowed.
    """
    base = settings or Settings()
    if base.seed is None:
        base = base.replace(seed=random.SystemRandom().randrange(2**32))
    plans = [
        base.replace(**dict(zip(grid, values, strict=True)))
        for values in itertools.product(*grid.values())
    ]
    if not plans:
        raise ValueError(f"The grid {grid!r} has no combination: give each field a value.")
    models, results = None, []
    for number, plan in enumerate(plans, 1):
        if each:
            each(number, len(plans), plan)
        if models is None or not models.fit(plan):
            models = load_for(plan)
        results.append(generate(plan, models=models, out=out))
    captions = [", ".join(f"{getattr(plan, name)}" for name in grid) for plan in plans]
    sheet = contact_sheet([result.images[0] for result in results], captions, columns=columns)
    sheet.save(Path(out) / "sheet.png")
    return results
