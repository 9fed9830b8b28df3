"""Every setting survives every road: the command line, the form, a picture."""

from hypothesis import given
from PIL import Image
from random_settings import any_settings

from vqclip_nb.__main__ import _paint_parser, _settings
from vqclip_nb.settings import Settings, specs
from vqclip_nb.storage.metadata import as_png, portable
from vqclip_nb.widgets.settings_form import Form


def _flags(values: dict) -> list[str]:
    """What a person would type for these settings."""
    words = []
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        if name == "prompt" or value is None:
            continue
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif name == "im_shape":
            words += [flag, *map(str, value)]
        elif name == "clip":
            words += [f"{flag}={each}" for each in value]
        else:
            words.append(f"{flag}={value}")
    return [*words, "--", values["prompt"]]


@given(any_settings)
def test_the_command_line_gives_the_same_settings(values):
    options = vars(_paint_parser().parse_args(_flags(values)))
    assert _settings(options) == Settings(**values)


@given(any_settings)
def test_the_form_gives_the_same_settings(values):
    wanted = Settings(**values)
    assert Form(wanted, tuple(specs())).settings() == wanted


@given(values=any_settings)
def test_a_picture_gives_the_same_settings(values, tmp_path_factory):
    said = portable(Settings(**values))
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    path.write_bytes(as_png(Image.new("RGB", (4, 4)), said))
    again = portable(Settings.from_png(path))
    assert again["settings"] == said["settings"]
