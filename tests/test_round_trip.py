"""Every setting survives every road: the command line, the form, a picture."""

from hypothesis import given
from PIL import Image
from random_settings import any_settings

from vqclip_nb.cli import flags, paint
from vqclip_nb.pictures import as_png, portable
from vqclip_nb.settings import Settings, specs
from vqclip_nb.widgets.settings_form import Form


def _flags(values: dict) -> list[str]:
    """What a person would type for these settings."""
    words = []
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        kind = specs()[name].kind
        if name == "prompt" or value is None:
            continue
        if kind == "switch":
            words.append(flag if value else f"--no-{flag[2:]}")
        elif kind == "shape":
            words += [flag, *map(str, value)]
        elif kind == "names":
            words += [f"{flag}={each}" for each in value]
        else:
            words.append(f"{flag}={value}")
    return [*words, "--", values["prompt"]]


@given(any_settings)
def test_the_command_line_gives_the_same_settings(values):
    options = vars(paint.parser().parse_args(_flags(values)))
    assert flags.settings(options) == Settings(**values)


@given(any_settings)
def test_the_form_gives_the_same_settings(values):
    wanted = Settings(**values)
    assert Form(wanted, tuple(specs())).settings() == wanted


@given(values=any_settings)
def test_a_picture_gives_the_same_settings(values, tmp_path_factory):
    said = portable(Settings(**values).to_dict())
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    path.write_bytes(as_png(Image.new("RGB", (4, 4)), said))
    again = portable(Settings.from_png(path).to_dict())
    assert again["settings"] == said["settings"]
