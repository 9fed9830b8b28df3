"""Paint pictures from sentences with VQGAN and CLIP, in a notebook, a terminal or a program."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vqclip_nb.evaluation.scores import score
    from vqclip_nb.films.journey import journey
    from vqclip_nb.films.morph import morph
    from vqclip_nb.films.progress import generate
    from vqclip_nb.films.timelapse import timelapse
    from vqclip_nb.models.loading import Models, load_models
    from vqclip_nb.run import Iterate, Result, Run
    from vqclip_nb.settings import PRESETS, Settings
    from vqclip_nb.sweeps.sweep import sweep
    from vqclip_nb.widgets.gallery import Gallery
    from vqclip_nb.widgets.settings_form import Form

__version__ = "0.1.0"

# Loaded at first use: a wrong setting is told before torch has been imported.
_HOMES = {
    "Form": "widgets.settings_form",
    "Gallery": "widgets.gallery",
    "Iterate": "run",
    "Models": "models.loading",
    "PRESETS": "settings",
    "Result": "run",
    "Run": "run",
    "Settings": "settings",
    "Studio": "widgets.studio",
    "describe_machine": "evaluation.machine",
    "drive_folder": "storage.colab",
    "generate": "films.progress",
    "journey": "films.journey",
    "load_judge": "models.judge",
    "load_models": "models.loading",
    "morph": "films.morph",
    "score": "evaluation.scores",
    "sweep": "sweeps.sweep",
    "timelapse": "films.timelapse",
}
__all__ = [
    "PRESETS",
    "Form",
    "Gallery",
    "Iterate",
    "Models",
    "Result",
    "Run",
    "Settings",
    "Studio",
    "describe_machine",
    "drive_folder",
    "generate",
    "journey",
    "load_judge",
    "load_models",
    "morph",
    "score",
    "sweep",
    "timelapse",
]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"vqclip_nb has no {name!r}: it has {', '.join(sorted(_HOMES))}.")
    value = getattr(import_module(f"vqclip_nb.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
