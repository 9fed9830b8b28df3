"""The films that the Studio paints, morphs and journeys: what is made, and under which name."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path

from vqclip_nb.films.journey import journey
from vqclip_nb.films.morph import morph
from vqclip_nb.films.options import Morph
from vqclip_nb.films.progress import Watcher
from vqclip_nb.models.loading import Models
from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import Settings
from vqclip_nb.widgets.film_form import FilmForm


def make_film(
    form: FilmForm, file: Path, settings: Settings, models: Models, out: Path, watched: Watcher
) -> None:
    """Make the film that the form describes.

    file: see `film_file`; settings: how it is painted; out: where the runs of key pictures go
    """
    how, said = form.options(), _said(form, settings)
    more = {"models": models, "out": out, "show": watched, **asdict(how)}
    if isinstance(how, Morph):
        sources = [part.strip() for part in said.split("^") if part.strip()]
        morph(sources, file, settings, **more)
    else:
        journey(settings, file, **more)


def film_file(form: FilmForm, settings: Settings, out: Path) -> Path:
    """A name of its own in `out`/films; a film that goes on keeps the one it was begun with."""
    kind, ending, said = form.kind.value, form.fields["format"].value, _said(form, settings)
    plan = json.dumps([said, asdict(form.options()), settings.to_dict()], sort_keys=True)
    stem = "-".join(filter(None, [kind, slug(said), hashlib.sha256(plan.encode()).hexdigest()[:8]]))
    for number in itertools.count(1):
        name = f"{stem}.{ending}" if number == 1 else f"{stem}-{number}.{ending}"
        file = out / "films" / name
        if not file.exists() or file.with_name(f"{name}.parts").exists():
            return file


def _said(form: FilmForm, settings: Settings) -> str:
    """What a film is of: the prompt, or the sources that a morph names."""
    named = form.sources.value.strip() if form.kind.value == "morph" else ""
    return named or settings.prompt
