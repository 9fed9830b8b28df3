"""A form for films: of a run, morphs and journeys."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path

import ipywidgets as widgets

from vqclip_nb.films.options import Cut, Journey, Morph, Options
from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import Settings, specs
from vqclip_nb.widgets.fields import help_text, value_of, widget_for

_KINDS = {"of the run": Cut, "morph": Morph, "journey": Journey}
_HELP = {
    "of the run": "A film of the run shown above, from its recorded frames.",
    "morph": "Pictures that turn into each other: the phrases of the prompt, separated by ^, or "
    "these sources, which can also be folders of runs.",
    "journey": "A flight through the prompt; phrases separated by ^ fade into each other.",
}


class FilmForm:
    """A menu of the kinds of film, and below it the fields of the chosen kind.

    kind: the menu; boxes: for each kind its fields by name
    sources: those of a morph; if empty, the phrases of the prompt
    """

    def __init__(self) -> None:
        self.kind = widgets.Dropdown(description="film", options=list(_KINDS))
        self.sources = widgets.Text(
            description="sources", placeholder="a cat ^ a dog, or runs/… ^ runs/…"
        )
        self._help, self.boxes = widgets.HTML(), {}
        for kind, options in _KINDS.items():
            known = specs(options) | {"format": specs(Cut)["format"]}
            self.boxes[kind] = {n: widget_for(spec, spec.default) for n, spec in known.items()}
        self.widget = widgets.VBox()
        self.kind.observe(lambda _: self._show(), "value")
        self._show()

    @property
    def fields(self) -> dict[str, widgets.Widget]:
        """The fields of the chosen kind."""
        return self.boxes[self.kind.value]

    def options(self) -> Options:
        """The values of the form as `Cut`, `Morph` or `Journey`."""
        kind = _KINDS[self.kind.value]
        return kind(**{n: value_of(spec, self.fields[n]) for n, spec in specs(kind).items()})

    def file(self, settings: Settings, out: Path) -> Path:
        """A new path in `out`/films, or that of the same film if it was interrupted."""
        kind, ending, text = self.kind.value, self.fields["format"].value, self._text(settings)
        plan = json.dumps([text, asdict(self.options()), settings.to_dict()], sort_keys=True)
        digest = hashlib.sha256(plan.encode()).hexdigest()[:8]
        stem = "-".join(filter(None, [kind, slug(text), digest]))
        for number in itertools.count(1):
            name = f"{stem}.{ending}" if number == 1 else f"{stem}-{number}.{ending}"
            file = out / "films" / name
            if not file.exists() or file.with_name(f"{name}.parts").exists():
                return file

    def phrases(self, settings: Settings) -> list[str]:
        """The sources of a morph."""
        return [part.strip() for part in self._text(settings).split("^") if part.strip()]

    def _text(self, settings: Settings) -> str:
        """The sources of a morph if there are any, otherwise the prompt."""
        named = self.sources.value.strip() if self.kind.value == "morph" else ""
        return named or settings.prompt

    def _show(self) -> None:
        self._help.value = help_text(_HELP[self.kind.value])
        sources = [self.sources] if self.kind.value == "morph" else []
        self.widget.children = [self.kind, self._help, *sources, *self.fields.values()]
