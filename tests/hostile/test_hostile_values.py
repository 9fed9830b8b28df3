"""Every field of every form, given values that no form would give; records and sentences."""

import json
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hostile_limits import read_or_refused, refused
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import vqclip_nb as vq
from vqclip_nb.films.options import Cut, Journey, Morph
from vqclip_nb.settings import Settings, specs

NUMBERS = {
    "10^400": 10**400,
    "-10^400": -(10**400),
    "10^6000": 10**6000,
    "1e308": 1e308,
    "nan": math.nan,
    "inf": math.inf,
    "a fraction": Fraction(10**400),
    "a decimal": Decimal("1e400"),
    "digits": "1" * 100_000,
    "bytes": b"1" * 100_000,
    "a list": [1] * 100_000,
    "a complex number": 1j,
    "a thing": object,
}
TEXTS = {
    "a megabyte": "a" * 2**20,
    "a zero byte": "a\0b",
    "an escape": "a\x1b[2Jb",
    "a bell": "a\ab",
    "text from right to left": "a\u202eb",
    "an isolate": "a\u2066b",
    "half a character": "a\ud800b",
    "C1": "a\x9bb",
    "a number": 5,
    "bytes": b"a",
    "a list": [["a"]],
    "None": None,
}
FORMS = (Settings, Cut, Morph, Journey)
KINDS = {"number": NUMBERS, "whole number": NUMBERS, "seed": NUMBERS, "shape": NUMBERS}
KINDS |= {"text": TEXTS, "names": TEXTS, "choice": TEXTS, "switch": NUMBERS}
CASES = [
    (form, name, case, KINDS[spec.kind][case])
    for form in FORMS
    for name, spec in specs(form).items()
    for case in KINDS[spec.kind]
]


@pytest.mark.parametrize(
    ("form", "name", "value"),
    [(form, name, value) for form, name, _, value in CASES],
    ids=[f"{form.__name__}.{name} {case}" for form, name, case, _ in CASES],
)
def test_a_value_that_is_none_is_refused_by_the_fields_name(form, name, value):
    with refused(rf"^{name} "):
        form(**{name: value})


SENTENCES = {
    "a row of digits": ":" + "1" * 9000 + "x",
    "rows of digits": (":" + "1" * 99 + "x") * 90,
    "a row of spaces": "a:1" + " " * 9000 + "x",
    "a row of colons": ":" * 9999,
    "weights of weights": "a" + ":1" * 4900,
    "an address of colons": "https://" + ":1" * 4900 + ".png",
    "a row of points": "a:1" + "." * 9000,
    "exponents": "a:1" + "e1" * 4900,
    "a weight that ends in e": "a:" + "1" * 4000 + "e" + "1" * 4000 + "x",
    "a row of noises": "noise#" + "1" * 9000,
    "a row of questions": "https://a/?" + "?" * 9000 + ".png",
    "a row of dots": "." * 9000 + "png",
    "hyphens": "-" * 9999,
    "marks on a letter": "a" + "\u0301" * 9000,
    "emoji": "👩‍👩‍👧‍👦" * 900,
}


@pytest.mark.parametrize("case", SENTENCES)
@pytest.mark.parametrize("name", ["prompt", "extras", "exclude"])
def test_a_crafted_sentence_does_not_hang(name, case):
    with read_or_refused():
        Settings(**{"prompt": "a cat", name: SENTENCES[case]})


REFUSED = {
    "a weight of 1e308": "a:1e308",
    "a weight of 1e400": "a:1e400",
    "a weight of -1e30": "a:-1e30",
    "a stop of 1e30": "a:1:1e30",
    "thousands of phrases": "a ^ " * 2000,
    "thousands of prompts": "a | " * 2000,
    "only bars": "|" * 9999,
    "only carets": "^" * 9999,
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_sentence_that_no_picture_can_follow_is_refused(case):
    with refused("prompt|weight"):
        Settings(prompt=REFUSED[case])


@pytest.mark.parametrize(
    "augment",
    ["affine:1e38", "affine:1e400", "affine:-1", "affine:nan", "zoom:1", "affine", "affine:",
     "affine:" + "9" * 9000, "affine:1" * 1000],
)  # fmt: skip
def test_an_augmentation_that_is_none_is_refused(augment):
    with refused("^augment "):
        Settings(augment=augment)


UPDATES = {
    "a text": "x",
    "a list of texts": ["x"],
    "no iteration": [{"w1": 1}],
    "a negative iteration": [{"iteration": -1, "w1": 1}],
    "an iteration of 10^400": [{"iteration": 10**400, "w1": 10**400}],
    "iterations in reverse": [{"iteration": 5, "w1": 1}, {"iteration": 4, "w1": 1}],
    "a field that is fixed": [{"iteration": 1, "seed": 1}],
    "a field that is none": [{"iteration": 1, "speed": 1}],
    "updates in updates": [{"iteration": 1, "updates": []}],
    "a value that is none": [{"iteration": 1, "w1": math.nan}],
    "a hidden character": [{"iteration": 1, "prompt": "a\u202eb"}],
    "a thousand weights": [{"iteration": 1, "prompt": "a:1e99"}],
    "a million changes": [{"iteration": 1, "w1": 1.0}] * 1_000_000,
    "no dict": [[1]],
}


@pytest.mark.parametrize("case", UPDATES)
def test_a_log_of_changes_that_is_none_is_refused(case):
    with refused():
        Settings(updates=UPDATES[case])


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


RECORDS = {
    "nothing": "",
    "half an object": "{",
    "no UTF-8": b"\xff{",
    "UTF-16": "{}".encode("utf-16"),
    "a number": "3",
    "a list": "[]",
    "no settings": "{}",
    "deep lists": _nested(1_000_000),
    "lists without an end": "[" * 1_000_000,
    "deep objects": '{"a":' * 100_000,
    "deep updates": '{"settings": {}, "updates": ' + _nested(900) + "}",
    "a text without an end": '"' + "a" * 2**20,
    "quotes and brackets": '"\\"[' * 100_000,
    "a number of 5,000 digits": '{"settings": {"w1": 1' + "0" * 5000 + '}, "updates": []}',
    "a number of 400 digits": '{"settings": {"w1": 1' + "0" * 399 + '}, "updates": []}',
    "1e400": '{"settings": {"w1": 1e400}, "updates": []}',
    "NaN": '{"settings": {"w1": NaN}, "updates": []}',
    "-Infinity": '{"settings": {"w1": -Infinity}, "updates": []}',
    "a megabyte as a name": json.dumps({"settings": {"a" * 2**20: 1}, "updates": []}),
    "a megabyte as a value": json.dumps({"settings": {"w1": "a" * 2**20}, "updates": []}),
    "a megabyte as a prompt": json.dumps({"settings": {"prompt": "a" * 2**20}, "updates": []}),
    "a name with a line break": json.dumps({"settings": {"a\nb\u202e": 1}, "updates": []}),
    "a hidden character": '{"settings": {"prompt": "a\\u202eb"}, "updates": []}',
    "half a character": '{"settings": {"prompt": "\\ud800"}, "updates": []}',
    "unconfirmed": '{"settings": {"unconfirmed": []}, "updates": []}',
    "settings that are a list": '{"settings": [["a", 1]], "updates": []}',
    "updates that are an object": '{"settings": {}, "updates": {"a": 1}}',
    "a shape that is an object": '{"settings": {"im_shape": {"a": 1, "b": 2}}, "updates": []}',
    "a shape of a million sides": json.dumps(
        {"settings": {"im_shape": [64] * 10**6}, "updates": []}
    ),
    "a hundred CLIPs": json.dumps({"settings": {"clip": ["RN50"] * 100}, "updates": []}),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_record_that_is_none_is_refused(case):
    with refused("^It cannot be read: "):
        Settings.from_provenance(RECORDS[case], "It")


@pytest.mark.parametrize("case", [case for case in RECORDS if isinstance(RECORDS[case], str)])
def test_a_picture_with_a_record_that_is_none_is_refused(tmp_path, case):
    info = PngInfo()
    info.add_itxt("vqclip_nb", RECORDS[case], zip=True)
    try:
        Image.new("RGB", (8, 8)).save(tmp_path / "theirs.png", pnginfo=info)
    except UnicodeEncodeError:
        pytest.skip("no PNG can hold it")
    with refused(r"theirs\.png"):
        Settings.from_png(tmp_path / "theirs.png")


# what settings from a file would read

SOURCES = {
    "init_image": {"init_image": "/etc/hostname.png"},
    "mask": {"init_image": "a.png", "mask": "/etc/hostname.png"},
    "an address in the prompt": {"prompt": "a cat | http://127.0.0.1:9/x.png"},
    "an address in a story": {"prompt": "a cat ^ http://127.0.0.1:9/x.png:0.5"},
    "a path in the extras": {"extras": "../secret.png"},
    "a path in exclude": {"exclude": "~/secret.jpg"},
    "a live change": {"updates": [{"iteration": 3, "prompt": "https://example.com/a.png"}]},
    "a checkpoint": {"models": "secret.ckpt"},
    "a CLIP": {"clip": ["secret.pt"]},
    "a CLIP of the hub": {"clip": ["open_clip:hf-hub:them/theirs"]},
}


@pytest.mark.parametrize("case", SOURCES)
def test_what_a_file_names_is_not_read_before_it_is_confirmed(tmp_path, monkeypatch, tiny, case):
    monkeypatch.setattr("socket.getaddrinfo", _never)
    values = {"total_iter": 1, "im_shape": (64, 64), "cutn": 2, "device": "cpu"} | SOURCES[case]
    settings = Settings.from_json(json.dumps(values))
    assert settings.replace(total_iter=2).unconfirmed == settings.unconfirmed != ()
    given = None if "models" in values or "clip" in values else tiny
    with refused("come from a file and would read .*: if you trust that"):
        vq.Run(settings, models=given, out=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert settings.confirmed().unconfirmed == ()


@pytest.mark.parametrize("case", SOURCES)
def test_the_studio_asks_before_it_reads_what_a_file_names(tmp_path, monkeypatch, tiny, case):
    monkeypatch.setattr("socket.getaddrinfo", _never)
    if "updates" in SOURCES[case]:
        pytest.skip("the form has no log")
    settings = Settings.from_json(json.dumps({"device": "cpu"} | SOURCES[case]))
    studio = vq.Studio(models=tiny, out=tmp_path)
    studio.load(settings)
    studio.run()
    assert "would read" in studio.panel.views["status"].value
    assert not list(tmp_path.glob("*"))


def _never(*_: object) -> None:
    raise AssertionError("an address was asked")


def test_what_the_person_says_needs_no_confirmation():
    settings = Settings.from_json('{"prompt": "a.png", "init_image": "b.png"}')
    assert settings.replace(init_image="b.png").unconfirmed == ("a.png", "tiny")
    assert Settings(prompt="a.png").unconfirmed == ()


def test_a_runs_folder_from_elsewhere_reads_only_its_own_copies(tmp_path, quick, tiny):
    """Its plan names a picture of this machine, and it brings no copy of that."""
    secret = tmp_path / "secret.png"
    Image.new("RGB", (64, 64), "red").save(secret)
    folder = vq.generate(f"a cat | {secret}:0.5", models=tiny, **quick | {"total_iter": 2}).folder
    for copy in (folder / "inputs").iterdir():
        copy.unlink()
    with refused("lacks .*, the copy of .*secret.png: put that picture there"):
        vq.Run.resume(folder, models=tiny)
