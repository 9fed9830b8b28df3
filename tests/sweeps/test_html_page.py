"""A class's runs on one page: found wherever they are, harmless whatever they say."""

import os
import re
import shutil
import struct
import zipfile
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.pictures import as_png, portable
from vqclip_nb.sweeps import html_page
from vqclip_nb.sweeps.html_page import Figure, collect, write_page
from vqclip_nb.widgets.display import zipped

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>$title'


def _png(prompt="a red apple", colour=(200, 30, 30), size=(64, 64), **changes) -> bytes:
    """A plain picture that says that it was painted from the prompt."""
    settings = vq.Settings(prompt=prompt, seed=5).replace(**changes)
    return as_png(Image.new("RGB", size, colour), portable(settings.to_dict()) | {"iteration": 40})


def _put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


class _Seen(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def _page(folder: Path, *more: str) -> _Seen:
    page = folder.parent / "class.html"
    assert main(["page", str(folder), "--out", str(page), *more]) == 0
    return _Seen(page)


def test_real_runs_and_their_zips_become_one_page(quick, tiny, tmp_path, capsys):
    folder = tmp_path / "class"
    quick |= {"total_iter": 2, "extras": "neon"}
    for pupil, prompt in (("anna", "a red apple"), ("ben", "a penguin")):
        out = {"out": folder / pupil / "runs"}
        result = vq.generate(prompt, models=tiny, **(quick | out))
        zipped(result.folder)  # beside its run, as `offer_download` leaves it
    shutil.rmtree(result.folder)  # ben's only as a zip, anna's twice

    seen = _page(folder, "--title", "Class 10b")
    images = seen.all("img")
    assert [image["alt"] for image in images] == ["a red apple", "a penguin"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert all(image["loading"] == "lazy" and "extras: neon" in image["title"] for image in images)
    assert seen.text.count("seed 5, 2 iterations") == 2
    assert all(word in seen.text for word in ("Class 10b", "2 pictures", "anna", "ben", "im_shape"))
    assert str(tmp_path) not in (tmp_path / "class.html").read_text()
    assert capsys.readouterr().out.endswith("class.html, 2 pictures of 2 people\n")


def test_the_name_is_that_of_the_first_folder_that_may_be_a_pupils(tmp_path):
    run = "20261122-101500-a-cat"
    for number, place in enumerate(
        (f"anna/{run}", f"ben/week 2/runs/{run}", f"runs/{run}", "cem/best"), start=1
    ):
        _put(tmp_path / "class" / place / "picture.png", _png(colour=(number, 0, 0)))
        _put(tmp_path / "class" / place / "settings.json", b"{}")
    with zipfile.ZipFile(tmp_path / "class" / "dora.zip", "w") as archive:
        archive.writestr("my\\runs\\x\\picture.png", _png(colour=(9, 0, 0)))
    entries, problems = collect([tmp_path / "class"])
    assert [entry.title for entry in entries] == ["anna", "ben", "cem", "class", "dora"]
    assert problems == []
    alone, _ = collect([tmp_path / "class" / "ben" / "week 2" / "runs"])
    each, _ = collect(sorted(path for path in (tmp_path / "class").iterdir() if path.is_dir()))
    assert [entry.title for entry in alone] == ["week 2"]
    assert [entry.title for entry in each] == ["anna", "best", "class", "week 2"]


def test_only_one_picture_of_a_run_and_none_of_others_is_taken(tmp_path):
    run = tmp_path / "class" / "anna" / "a run"
    for name in ("picture.png", "steps/000003.png", "inputs/0123456789abcdef.png"):
        _put(run / name, _png(colour=(len(name), 0, 0)))
    _put(run / "settings.json", b"{}")
    _put(tmp_path / "class" / "anna" / "saved.PNG", _png("a cat", noise_factor=0.5))
    _put(tmp_path / "class" / "anna" / "holiday.png", as_png(Image.new("RGB", (9, 9)), None))
    _put(tmp_path / "class" / ".hidden.part" / "picture.png", _png("a dog"))
    os.symlink(run / "picture.png", tmp_path / "class" / "linked.png")
    entries, problems = collect([tmp_path / "class"])
    assert [entry.prompt for entry in entries] == ["a red apple", "a cat"]
    assert problems == []


def test_a_picture_without_settings_has_those_of_its_run_without_local_paths(quick, tiny):
    source = _put(quick["out"].parent / "secret" / "start.png", _png())
    quick |= {"total_iter": 1, "metadata": False, "init_image": str(source)}
    vq.generate("a cat", models=tiny, **quick)
    entries, problems = collect([quick["out"]])
    assert problems == []
    assert (entries[0].prompt, entries[0].settings["init_image"]) == ("a cat", "start.png")


def test_live_changes_and_unusual_settings_can_be_looked_up(tmp_path):
    updates = [{"iteration": 20, "w2": 0.3}]
    _put(tmp_path / "class" / "a.png", _png(extras="neon", im_shape=(64, 96), updates=updates))
    seen = _page(tmp_path / "class")
    assert len(seen.all("dt")) == 3
    assert "extrasneonlivefrom iteration 20: w2 0.3" in re.sub(r"im_shape64 96", "", seen.text)
    assert "seed 5, 40 iterations" in seen.text


def test_untrusted_text_is_escaped(tmp_path, capsys):
    name = HOSTILE.replace("/", "∕")
    data = _png(HOSTILE, extras=HOSTILE, updates=[{"iteration": 1, "w1": 2.0}])
    _put(tmp_path / "class" / name / "x.png", data)
    record = portable(vq.Settings(seed=5).to_dict())
    record["settings"]["prompt"] = "a cat\x1b[2J\u202e"  # which no settings of ours can have
    _put(tmp_path / "class" / "z.png", as_png(Image.new("RGB", (64, 64)), record))
    _put(tmp_path / "class" / os.fsdecode(b"b\xff\x1b[2J") / "y.png", data)
    seen = _page(tmp_path / "class", "--title", HOSTILE)
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main"}
    allowed |= {"figure", "img", "figcaption", "strong", "small", "details", "summary", "dl"}
    assert {tag for tag, _ in seen.elements} == allowed | {"dt", "dd", "footer"}
    assert {key for _, attributes in seen.elements for key in attributes} == {
        *("lang", "charset", "name", "content", "http-equiv", "src", "width", "height"),
        *("alt", "title", "loading"),
    }
    assert len(seen.all("img")) == 2
    assert seen.all("img")[0]["alt"] == HOSTILE
    assert seen.text.count("alert(1)") == 7  # two titles, a name, two sentences, two extras
    said = capsys.readouterr()
    assert "z.png" in said.out + said.err
    assert "\x1b" not in said.out + said.err


def _chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def _vast(side: int) -> bytes:
    """A PNG of a few bytes that says to have side x side pixels."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    data = _chunk(b"IDAT", zlib.compress(bytes(9999)))
    return b"\x89PNG\r\n\x1a\n" + head + data + _chunk(b"IEND", b"")


def _saying(text: str) -> bytes:
    """A sound picture with a text of its own."""
    chunk = b"vqclip_nb\0\0\0\0\0" + text.encode("utf-8", "surrogatepass")
    plain = as_png(Image.new("RGB", (64, 64), (200, 30, 30)), None)
    at = plain.index(b"IDAT") - 4
    return plain[:at] + _chunk(b"iTXt", chunk) + plain[at:]


BROKEN = {
    "empty": b"",
    "no-png": b"GIF89a" + bytes(99),
    "cut": _png()[:-40],
    "damaged": _png().replace(b"IDAT", b"IDAT\xff", 1),
    "large": _vast(6000),
    "vast": _vast(40_000),
    "no-json": _saying("{"),
    "no-settings": _saying("[1]"),
    "deep": _saying("[" * 100_000),
    "unknown": _saying('{"settings": {"eval": 1}, "updates": []}'),
    "absurd": _saying('{"settings": {"prompt": "a", "w1": NaN}, "updates": []}'),
    "huge": _saying('{"settings": {"prompt": "a", "w1": 1' + "0" * 400 + '}, "updates": []}'),
    "long": _saying('{"settings": {"prompt": "' + "a" * 5 * 2**20 + '"}, "updates": []}'),
    "deep-in": _saying('{"settings": {"prompt": ' + "[" * 900 + "]" * 900 + '}, "updates": []}'),
    "no-log": _saying('{"settings": {"prompt": "a"}, "updates": [{"iteration": "x"}]}'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_named_and_left_out(name, tmp_path, capsys):
    broken = _put(tmp_path / "class" / "ben" / f"{name}.png", BROKEN[name])
    _put(tmp_path / "class" / "anna" / "x.png", _png())
    assert len(_page(tmp_path / "class").all("img")) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"vqclip: {broken} was left out: ")
    assert printed.count("\n") == 1


def test_a_run_whose_settings_cannot_be_read_is_named(tmp_path):
    _put(tmp_path / "anna" / "picture.png", as_png(Image.new("RGB", (9, 9)), None))
    _put(tmp_path / "anna" / "settings.json", b"\xff{")
    entries, problems = collect([tmp_path])
    assert entries == []
    assert len(problems) == 1
    assert "its settings cannot be read" in problems[0]


def _zip_of(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_zips_are_read_in_memory_within_limits(tmp_path, monkeypatch):
    monkeypatch.setattr("vqclip_nb.pictures.MOST_BYTES", 2**20)
    folder = tmp_path / "class"
    bomb, good = bytes(2**20 + 1), _png()
    _zip_of(folder / "anna.zip", {"../../../evil/picture.png": good, "/abs/settings.json": bomb})
    _zip_of(folder / "bomb.zip", {"a/picture.png": bomb, "b/picture.png": good})
    _zip_of(folder / "empty.zip", {"notes.txt": b"hello"})
    _zip_of(folder / "many.zip", {f"{n}/picture.png": b"" for n in range(1001)})
    _put(folder / "torn.zip", _zip_of(tmp_path / "x.zip", {"picture.png": good}).read_bytes()[:-9])
    lies = bytearray(_zip_of(tmp_path / "y.zip", {"picture.png": bomb}).read_bytes())
    at = lies.rindex(b"PK\x01\x02")
    lies[at + 24 : at + 28] = struct.pack("<I", 100)  # the size in the list of contents
    _put(folder / "lies.zip", bytes(lies))
    locked = bytearray((folder / "anna.zip").read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    _put(folder / "locked.zip", bytes(locked))
    before = sorted(tmp_path.rglob("*"))

    entries, problems = collect([folder])
    assert [entry.title for entry in entries] == ["anna", "bomb"]
    reasons = {
        re.search(r"(\w+)\.zip", problem)[1]: problem.partition(" was left out: ")[2]
        for problem in problems
    }
    assert reasons.pop("bomb") == "it is larger than the allowed 1 MiB."
    assert reasons.pop("empty") == "it has no picture.png."
    assert reasons.pop("many") == "it has 1001 pictures, more than the allowed 1000."
    assert set(reasons) == {"torn", "lies", "locked"}
    assert all(reasons.values())
    assert sorted(tmp_path.rglob("*")) == before


def test_large_pictures_become_small_ones(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (512, 384, 3), dtype=np.uint8)
    settings = portable(vq.Settings(prompt="noise").to_dict())
    _put(tmp_path / "class" / "a.png", as_png(Image.fromarray(noise), settings))
    image = _page(tmp_path / "class").all("img")[0]
    assert (image["width"], image["height"]) == ("192", "256")
    assert image["src"].startswith("data:image/jpeg;base64,")
    assert len(image["src"]) < 100_000


def test_pages_with_scores_begin_with_the_highest(tmp_path):
    entries = [
        Figure(Image.new("RGB", (8, 8)), f"w2 = {score}", "a cat", score=score)
        for score in (0.1, None, 0.3, 0.2)
    ]
    write_page(tmp_path / "sweep.html", entries, "Sweep")
    seen = _Seen(tmp_path / "sweep.html")
    assert re.findall(r"w2 = (\S+)", seen.text) == ["0.3", "0.2", "0.1", "None"]
    assert "score 0.300" in seen.text
    with pytest.raises(ValueError, match="at least one picture"):
        write_page(tmp_path / "none.html", [], "None")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["."], "No run was found in ."),
        ([".", "--out", "class.png"], "out must end with .html, got 'class.png'."),
    ],
)
def test_bad_input_gets_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["page", *arguments]) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_reported(tmp_path, capsys):
    _put(tmp_path / "class" / "anna" / "x.png", _png())
    page = tmp_path / "nowhere" / "class.html"
    assert main(["page", str(tmp_path / "class"), "--out", str(page)]) == 2
    assert f"{page} could not be written" in capsys.readouterr().err


def test_whatever_a_strangers_file_raises_the_page_is_made(tmp_path, monkeypatch, capsys):
    def overflowing(text, name):
        raise OverflowError("int too large to convert to float")

    monkeypatch.setattr(vq.Settings, "from_provenance", overflowing)
    _put(tmp_path / "class" / "anna" / "x.png", _png())
    entries, problems = collect([tmp_path / "class"])
    assert entries == []
    assert "x.png was left out: int too large to convert" in problems[0]


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("_MOST_PICTURES", 2, "2 pictures at most"),
        ("_MOST_BYTES", 2 * len(_png()) + 99, "0 MiB at most"),
        ("_MOST_SECONDS", -1.0, "seconds at most"),
    ],
)
def test_a_page_ends_at_a_limit_and_says_so_once(limit, value, words, tmp_path, monkeypatch):
    monkeypatch.setattr(html_page, limit, value)
    _zip_of(tmp_path / "a.zip", {f"{n}/picture.png": _png(colour=(n, 0, 0)) for n in range(3)})
    _put(tmp_path / "b" / "x.png", _png())
    figures, problems = collect([tmp_path])
    assert len(figures) == (0 if limit == "_MOST_SECONDS" else 2)
    assert len(problems) == 1
    assert words in problems[0]


def test_a_pipe_among_the_files_is_not_opened(tmp_path):
    run = tmp_path / "class" / "anna" / "a run"
    _put(run / "picture.png", _png())
    os.mkfifo(run / "settings.json")
    os.mkfifo(tmp_path / "class" / "pipe.png")
    figures, problems = collect([tmp_path / "class"])
    assert (len(figures), problems) == (1, [])


@pytest.mark.slow
def test_a_browser_shows_every_picture_and_asks_for_nothing(tmp_path, browser):
    for number in range(40):
        colour = (number * 6, 90, 200)
        _put(tmp_path / "class" / f"pupil {number:02}" / "x.png", _png(HOSTILE, colour))
    _page(tmp_path / "class")
    page = browser.new_page(viewport={"width": 1000, "height": 700}, color_scheme="dark")
    requested, messages = [], []
    page.on("request", lambda request: requested.append(request.url[:30]))
    page.on("dialog", lambda dialog: messages.append(dialog.message) or dialog.dismiss())
    page.on("console", lambda message: messages.append(message.text))
    page.goto((tmp_path / "class.html").as_uri())
    page.locator("img").last.scroll_into_view_if_needed()
    assert page.locator("img").last.evaluate("i => i.decode().then(() => i.naturalWidth)") == 64
    assert page.locator("figure").count() == 40
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 18, 18)"
    assert [url for url in requested if not url.startswith(("file:", "data:image/png"))] == []
    assert messages == []
    page.close()
