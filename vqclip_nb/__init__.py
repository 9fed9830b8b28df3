"""Paint pictures from sentences with VQGAN and CLIP, in a notebook, a terminal or a program."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vqclip_nb.film import timelapse
    from vqclip_nb.form import Form
    from vqclip_nb.gallery import Gallery
    from vqclip_nb.journeys import journey
    from vqclip_nb.models import Models, load_models
    from vqclip_nb.morphs import morph
    from vqclip_nb.run import Iterate, Result, Run, generate
    from vqclip_nb.scores import score
    from vqclip_nb.settings import PRESETS, Settings
    from vqclip_nb.sweeps import sweep

__version__ = "0.1.0"

# Loaded at first use: a wrong setting is told before torch has been imported.
_HOMES = {
    "Form": "form",
    "Gallery": "gallery",
    "Iterate": "run",
    "Models": "models",
    "PRESETS": "settings",
    "Result": "run",
    "Run": "run",
    "Settings": "settings",
    "Studio": "studio",
    "describe_machine": "machine",
    "drive_folder": "colab",
    "generate": "run",
    "journey": "journeys",
    "load_judge": "judge",
    "load_models": "models",
    "morph": "morphs",
    "score": "scores",
    "sweep": "sweeps",
    "timelapse": "film",
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
