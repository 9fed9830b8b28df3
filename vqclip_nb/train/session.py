"""Training sessions with a time budget instead of a step count, resumable from a file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm


class Session:
    """Tracks training time across interruptions, and saves and restores the state.

    path: file of the state, restored if it exists
    minutes: time budget in total
    parts: objects with `state_dict` and `load_state_dict`; generators: random generators
    save_every: seconds between saves

    Schedules follow `progress`, the share of the time budget that is used up.
    """

    def __init__(
        self,
        path: Path,
        minutes: float,
        parts: dict[str, Any],
        generators: list[torch.Generator],
        *,
        save_every: float = 180.0,
    ) -> None:
        self.path, self.budget, self.parts, self.generators = path, minutes * 60, parts, generators
        self.save_every = save_every
        self.seconds, self.step = 0.0, 0
        if path.exists():
            self._restore()

    @property
    def progress(self) -> float:
        """Share of the budget that is used up, from 0 to 1."""
        return min(1.0, self.seconds / self.budget) if self.budget else 1.0

    def steps(self, description: str):
        """Yield step numbers and a progress bar until the budget is used up; saves regularly."""
        saved = time.monotonic()
        bar = tqdm(total=round(self.budget), initial=round(self.seconds), unit="s", mininterval=10)
        bar.set_description(description)
        try:
            while self.progress < 1:
                began = time.monotonic()
                self.step += 1
                yield self.step, bar
                self.seconds += time.monotonic() - began
                bar.update(round(self.seconds) - bar.n)
                if time.monotonic() - saved > self.save_every:
                    self.save()
                    saved = time.monotonic()
        finally:
            bar.close()
            self.save()

    def save(self) -> None:
        """Write the state atomically."""
        state = {
            "seconds": self.seconds,
            "step": self.step,
            "generators": [g.get_state() for g in self.generators],
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part_file = self.path.with_name(self.path.name + ".part")
        torch.save(state, part_file)
        os.replace(part_file, self.path)

    def _restore(self) -> None:
        state = torch.load(self.path, weights_only=True)
        self.seconds, self.step = state["seconds"], state["step"]
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            generator.set_state(saved)
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
