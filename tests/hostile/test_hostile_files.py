"""Every reader of a file from outside, given what is no file, and contents that lie."""

import os
import socket
import struct
from pathlib import Path

import pytest
from hostile_limits import refused, within_limits

from vqclip_nb.models.draft.stored import load_draft
from vqclip_nb.models.registry import find_model
from vqclip_nb.models.safe_load import read_tensors, read_yaml
from vqclip_nb.models.words import Words
from vqclip_nb.pictures import provenance_of
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import load_picture

_DRAFT = find_model("vqgan", "tiny").draft_path


def _read_draft_table(path: Path) -> None:
    """The table beside a sound draft."""
    beside = path.with_suffix(".safetensors")
    beside.symlink_to(_DRAFT)
    path.rename(beside.with_suffix(".json")) if path.suffix != ".json" else None
    load_draft(beside, 1024)


READERS = {
    "checkpoint": (read_tensors, ".ckpt"),
    "safetensors": (read_tensors, ".safetensors"),
    "yaml": (read_yaml, ".yaml"),
    "words": (Words.load, ".json"),
    "draft": (_read_draft_table, ".json"),
    "picture": (lambda path: load_picture(str(path)), ".png"),
    "settings": (Settings.from_png, ".png"),
}


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device_without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_device_that_is_empty(path: Path) -> None:
    path.symlink_to("/dev/null")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the name of a socket must be short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def nothing(path: Path) -> None:
    pass


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def an_empty_file(path: Path) -> None:
    path.touch()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(10_000))


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def brackets(path: Path) -> None:
    path.write_bytes(b"[" * 60_000)


def a_page_of_html(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>Please sign in.</body></html>")


def ten_gigabytes_of_nothing(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def half_a_utf_16(path: Path) -> None:
    path.write_bytes(b"\xff\xfe{\0")


KINDS = [a_pipe, a_device_without_end, a_device_that_is_empty, a_folder, a_socket, nothing]
KINDS += [a_link_to_nothing, a_link_to_itself, an_empty_file, zeros, noise, brackets]
KINDS += [a_page_of_html, ten_gigabytes_of_nothing, half_a_utf_16]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_none_is_refused_by_name(tmp_path, reader, kind):
    read, suffix = READERS[reader]
    path = tmp_path / f"theirs{suffix}"
    kind(path)
    with refused("theirs"):
        read(path)


@pytest.mark.parametrize("name", ["a\0b.png", "~nobody-of-that-name/a.png", "a" * 5000, ""])
def test_a_path_that_can_be_no_file_is_refused(name):
    with refused():
        load_picture(name)


def test_a_picture_that_is_a_pipe_carries_no_settings(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with within_limits():
        assert provenance_of(tmp_path / "a.png") == ""


HEADERS = {
    "no header": b"",
    "half a length": b"\x01\x00",
    "a length without end": struct.pack("<Q", 2**63),
    "a length of gigabytes": struct.pack("<Q", 2**33) + b"{}",
    "a length beyond the file": struct.pack("<Q", 1000) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"[1,2",
    "a list": struct.pack("<Q", 2) + b"[]",
    "deep JSON": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "no offsets": struct.pack("<Q", 33) + b'{"a":{"dtype":"F32","shape":[1]}}',
    "an unknown type": struct.pack("<Q", 56)
    + b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}   '
    + bytes(4),
    "a negative side": struct.pack("<Q", 57)
    + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}  '
    + bytes(4),
    "sides that overflow": struct.pack("<Q", 96)
    + b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}'.ljust(
        96
    )
    + bytes(4),
    "offsets that overlap": struct.pack("<Q", 128)
    + (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    ).ljust(128)
    + bytes(4),
    "offsets in reverse": struct.pack("<Q", 64)
    + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}'.ljust(64)
    + bytes(4),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_safetensors_file_that_lies_is_refused(tmp_path, header):
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(HEADERS[header])
    with refused(r"theirs\.safetensors"):
        read_tensors(path)


YAMLS = {
    "aliases that double": "a: &a [1,1]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(20))
    + "model: {target: taming.VQModel, params: {ddconfig: {ch_mult: *u}}}",
    "merges that double": "a: &a {x: 1}\n"
    + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [*{chr(97 + i)},*{chr(97 + i)}]}}\n"
        for i in range(20)
    ),
    "a list that holds itself": "&a [*a]",
    "a model that holds itself": "model: &a\n  target: *a\n",
    "deep lists": "a: " + "[" * 20_000,
    "deep maps": "{a: " * 10_000,
    "a number of 5,000 digits": "a: " + "9" * 5000,
    "a number of base 60": "a: 1" + ":59" * 15_000,
    "a date that is none": "a: 2024-02-31",
    "a tag that calls": "!!python/object/apply:os.system ['true']",
    "a tag that imports": "!!python/module:antigravity",
    "a tag that names": "a: !!python/name:os.system",
    "a tag that makes": "a: !!python/object/new:type [x, [], {}]",
    "an unknown tag": "a: !torch.load x",
    "a list as a key": "? [a, b]\n: 1",
    "binary that is none": "a: !!binary '%%%'",
    "two documents": "a: 1\n---\nb: 2",
    "a zero byte": "a: \0",
    "a number": "3",
    "a text": "hello",
    "a line of 60 KB": "x" * 60_000,
    "more than any model has": "a: 1\n" * 20_000,
    "an alias to nothing": "a: *b",
    "a half quoted text": "a: 'b",
}


@pytest.mark.parametrize("text", YAMLS)
def test_a_yaml_that_lies_is_refused(tmp_path, taming_files, text):
    import vqclip_nb as vq

    (tmp_path / "theirs.ckpt").write_bytes(taming_files[0].read_bytes())
    (tmp_path / "theirs.yaml").write_text(YAMLS[text], encoding="utf-8")
    with refused(r"theirs\."):
        vq.load_models(str(tmp_path / "theirs.ckpt"), clip="tiny", device="cpu")
