"""Checkpoint archives that attack: their zip directory, their pickle, their tensors."""

import io
import pickle
import struct
import warnings
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import yaml
from hostile_limits import read_or_refused, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vqclip_nb as vq
from vqclip_nb.models import inert_pickle
from vqclip_nb.models.inert_pickle import read_pickle
from vqclip_nb.models.safe_load import WeightsError, read_tensors

PROTO, STOP, MARK = b"\x80\x02", b".", b"("


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<L", len(data)) + data


def _number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _tensor(size=(1,), stride=(1,), *, count=1, key="0", kind="FloatStorage", offset=0) -> bytes:
    """A tensor, as torch.save writes it."""
    saved = MARK + _text("storage") + _global("torch", kind) + _text(key) + _text("cpu")
    saved += _number(count) + b"tQ"
    shape = b"".join(pickle.dumps(each, 2)[2:-1] for each in (offset, size, stride))
    return _global("torch._utils", "_rebuild_tensor_v2") + MARK + saved + shape + b"\x89Nt" + b"R"


def _named(value: bytes, name: str = "w") -> bytes:
    return PROTO + b"}" + _text(name) + value + b"s" + STOP


def _call(module: str, name: str, arguments: bytes = b")") -> bytes:
    """A state_dict whose value is what a call returns."""
    return _named(_global(module, name) + arguments + b"R")


def _pack(path: Path, pickled: bytes, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        for key, data in (storages or {"0": bytes(4)}).items():
            archive.writestr(f"x/data/{key.removeprefix('s')}", data)
    return path


_ECHO = MARK + _text("echo attacked > /tmp/attacked") + b"t"
_COPY = _global("collections", "OrderedDict")

PICKLES = {
    # instructions that are broken
    "nothing": b"",
    "only a stop": STOP,
    "no stop": PROTO + b"}",
    "an unknown instruction": PROTO + b"\xff" + STOP,
    "a pop of nothing": PROTO + b"0" + STOP,
    "a mark that is missing": PROTO + b"t" + STOP,
    "a get of what was never put": PROTO + b"h\x05" + STOP,
    "a put of nothing": PROTO + b"q\x00" + STOP,
    "a tuple of nothing": PROTO + b"\x87" + STOP,
    "an odd number of items": PROTO + b"}" + MARK + _text("a") + b"u" + STOP,
    "a protocol of the future": b"\x80\x7f}" + STOP,
    "a state of nothing": PROTO + b"b" + STOP,
    "a text that ends early": PROTO + b"X\xff\xff\xff\x7fabc" + STOP,
    "a text of 2^63 bytes": PROTO + b"\x8d" + b"\xff" * 7 + b"\x7f" + STOP,
    "bytes of 5 GB": PROTO + b"\x8e" + struct.pack("<Q", 5 * 2**30) + STOP,
    "a bytearray of 5 GB": b"\x80\x05\x96" + struct.pack("<Q", 5 * 2**30) + STOP,
    "a number of 2^31 bytes": PROTO + b"\x8b\xff\xff\xff\x7f" + STOP,
    "a number of negative length": PROTO + b"\x8b\xff\xff\xff\xff" + STOP,
    "a number in 5,000 digits": PROTO + b"L" + b"9" * 5000 + b"L\n" + STOP,
    "a float that is none": PROTO + b"Fhello\n" + STOP,
    "text that is no UTF-8": PROTO + b"X\x02\x00\x00\x00\xff\xfe" + STOP,
    "an extension": PROTO + b"\x82\x01" + STOP,
    "a buffer from elsewhere": b"\x80\x05\x97" + STOP,
    "a persistent name": PROTO + b"Pstorage\n" + STOP,
    "a persistent number": PROTO + b"K\x01Q" + STOP,
    "a persistent tuple of nothing": PROTO + b")Q" + STOP,
    # instructions that take long, or much memory
    "an index of the memo that is a bomb": PROTO + b"}r\xff\xff\xff\x7f" + STOP,
    "more instructions than any model": PROTO + b"N0" * 300_000 + b"}" + STOP,
    "tuples in tuples, to be hashed": PROTO + b"}" + b")" + b"\x85" * 200_000 + b"Ns" + STOP,
    "lists in lists": PROTO + b"]" * 100_000 + b"a" * 99_999 + STOP,
    "dicts in dicts": PROTO + (b"}" + _text("a")) * 20_000 + b"}" + b"s" * 20_000 + STOP,
    "calls of calls": PROTO + (_global("a", "b") + b")R") * 10_000 + STOP,
    "a tuple that doubles forty times": PROTO + b")" + b"2\x86" * 40 + STOP,
    "a dict that doubles forty times": PROTO
    + b"}"
    + b"".join(b"q\x00}" + MARK + _text("a") + b"h\x00" + _text("b") + b"h\x00u" for _ in range(40))
    + STOP,
    "a dict that holds itself": PROTO + b"}q\x00" + _text("a") + b"h\x00s" + STOP,
    "a list that holds itself": PROTO + b"]q\x00h\x00a" + STOP,
    "numbers whose hashes collide": PROTO
    + b"}"
    + MARK
    + b"".join(_number(i * (2**61 - 1)) + b"N" for i in range(50_000))
    + b"u"
    + STOP,
    "a chain of keys of 50 KB": PROTO
    + b"}q\x00"
    + b"".join(_text("k" * 50_000) + b"}" for _ in range(200))
    + b"s" * 200
    + STOP,
    "copies of a dict": PROTO
    + b"]q\x00"
    + MARK
    + b"".join(_text(str(i)) + b"N\x86" for i in range(100_000))
    + b"e"
    + (_COPY + MARK + b"h\x00tR0") * 1000
    + b"}"
    + STOP,
    "copies of a state": PROTO
    + b"}"
    + MARK
    + b"".join(_text(str(i)) + b"N" for i in range(100_000))
    + b"uq\x00"
    + (_global("a", "B") + b")\x81h\x00b0") * 1000
    + STOP,
    # what a call could do
    "os.system": _call("os", "system", _ECHO),
    "posix.system": _call("posix", "system", _ECHO),
    "eval": _call("builtins", "eval", MARK + _text("1/0") + b"t"),
    "exec": _call("__builtin__", "execfile", MARK + _text("/etc/passwd") + b"t"),
    "open": _call("builtins", "open", MARK + _text("/tmp/attacked") + _text("w") + b"t"),
    "getattr": _call("builtins", "getattr", MARK + _text("a") + _text("upper") + b"t"),
    "subprocess": _call("subprocess", "Popen", _ECHO),
    "import": _call("importlib", "import_module", MARK + _text("antigravity") + b"t"),
    "runpy": _call("runpy", "run_path", _ECHO),
    "torch.load": _call("torch", "load", _ECHO),
    "torch.hub": _call("torch.hub", "load", _ECHO),
    "ctypes": _call("ctypes", "CDLL", MARK + _text("libc.so.6") + b"t"),
    "pickle in pickle": _call(
        "pickle", "loads", MARK + pickle.dumps(b"cos\nsystem\n.", 2)[2:-1] + b"t"
    ),
    "a class made": _named(_global("os", "popen") + _ECHO + b"\x81"),
    "an instance": PROTO + MARK + _text("true") + b"ios\nsystem\n" + STOP,
    "an object": PROTO + MARK + _global("os", "system") + _text("true") + b"o" + STOP,
    "a name from the stack": b"\x80\x04}"
    + _text("w")
    + _text("os")
    + _text("system")
    + b"\x93s"
    + STOP,
    # found by fuzzing: as text, each name is more than twice as long as the one in it
    "names of names": b"\x80\x04}" + _text("w") * 2 + _text("a") * 41 + b"\x93" * 40 + b"s" + STOP,
    "a state that is a function": PROTO
    + _global("a", "B")
    + b")R"
    + _global("os", "system")
    + b"b"
    + STOP,
    # tensors
    "a tensor of 2^60 elements": _named(_tensor((2**60,), (1,), count=2**60)),
    "a tensor of one number, a trillion times": _named(_tensor((10**6, 10**6), (0, 0))),
    "a tensor beyond its storage": _named(_tensor((10,), (1,), count=1)),
    "a tensor before its storage": _named(_tensor(offset=-1)),
    "a tensor of negative size": _named(_tensor((-1,))),
    "a tensor of 100 dimensions": _named(_tensor((1,) * 100, (1,) * 100)),
    "sides of 5,000 digits": _named(_tensor((10**5000, 0), (1, 1))),
    "sides that are texts": _named(_tensor(("a",))),
    "sides that are floats": _named(_tensor((1.0,))),
    "more strides than sides": _named(_tensor((1,), (1, 1))),
    "a storage of -1 numbers": _named(_tensor(count=-1)),
    "a storage longer than its file": _named(_tensor((100,), (1,), count=100)),
    "a storage of another key": _named(_tensor(key="../../etc/passwd")),
    "a storage of no known kind": _named(_tensor(kind="QUInt8Storage")),
    "a storage of a function": _named(_tensor(kind="load")),
    "a tensor of no storage": _call("torch._utils", "_rebuild_tensor_v2", MARK + b"NK\x00))\x89Nt"),
    "a tensor of nothing": _call("torch._utils", "_rebuild_tensor_v2"),
    "a parameter of nothing": _call("torch._utils", "_rebuild_parameter"),
    "a storage of two types": PROTO
    + b"}"
    + MARK
    + _text("a")
    + _tensor()
    + _text("b")
    + _tensor(kind="HalfStorage")
    + b"u"
    + STOP,
    "a storage used 10,000 times": PROTO
    + b"}"
    + MARK
    + b"".join(_text(str(i)) + _tensor((4096,), (1,), count=4096) for i in range(3000))
    + b"u"
    + STOP,
}


@pytest.mark.parametrize("case", PICKLES)
def test_a_pickle_that_attacks_is_refused(tmp_path, case):
    path = _pack(
        tmp_path / "theirs.ckpt", PICKLES[case], s0=bytes(4 if "10,000" not in case else 16384)
    )
    with refused(r"theirs\.ckpt (cannot be read|holds no tensors)", error=WeightsError):
        read_tensors(path)
    assert not Path("/tmp/attacked").exists()


@given(st.binary(max_size=400))
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_read_as_a_pickle_or_refused(data):
    with read_or_refused():
        read_pickle(data + STOP)


_SOUND = pickle.dumps({"a": OrderedDict(b=(1, 2.5, "c")), "d": [True, None, b"e"]}, 2)


@given(st.integers(0, len(_SOUND) - 1), st.binary(min_size=1, max_size=4))
@settings(max_examples=500)
def test_a_pickle_with_changed_bytes_is_read_or_refused(at, change):
    data = _SOUND[:at] + change + _SOUND[at + len(change) :]
    with read_or_refused():
        read_pickle(data)


def test_the_budget_of_instructions_is_ten_times_what_models_need():
    """A VQGAN has 350 tensors, with its optimizer three times as many, of 25 instructions each."""
    assert inert_pickle._MOST_STEPS > 10 * 3 * 350 * 25


# the zip file


def _sound(path: Path) -> bytes:
    torch.save({"w": torch.arange(64.0), "v": torch.ones(3)}, path)
    return path.read_bytes()


def _directory(data: bytes) -> int:
    """Where the list of entries begins."""
    return data.index(b"PK\1\2")


def _end(data: bytes) -> int:
    return data.rindex(b"PK\5\6")


def _changed(data: bytes, at: int, change: bytes) -> bytes:
    return data[:at] + change + data[at + len(change) :]


def _flat(**entries: bytes) -> bytes:
    """A plain zip, without the 64-bit fields of torch's."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/").replace("_pkl", ".pkl"), data)
    return file.getvalue()


_PICKLED = _named(_tensor())
_PLAIN = _flat(x__data_pkl=_PICKLED, x__data__0=bytes(4))


def _twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("x/data.pkl", _PICKLED)
        archive.writestr("x/data.pkl", _PICKLED)
    return file.getvalue()


def _deflated() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", PROTO + b"N0" * 10**6 + STOP)
    return file.getvalue()


def _overlapping() -> bytes:
    """A thousand entries that all are the same megabyte."""
    name = b"x/data/0"
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 2**20, 2**20, len(name), 0)
    data = local + name + bytes(2**20)
    crc = zlib.crc32(bytes(2**20))
    saved = PROTO + b"}" + MARK
    entries = b""
    for i in range(1000):
        each = f"x/data/{i}".encode()
        fields = (b"PK\1\2", 20, 20, 0, 0, 0, 0, crc, 2**20, 2**20, len(each), 0, 0, 0, 0, 0, 0)
        entries += struct.pack("<4sHHHHHHLLLHHHHHLL", *fields) + each
        saved += _text(f"w{i}") + _tensor((2**18,), (1,), count=2**18, key=str(i))
    saved += b"u" + STOP
    at, pickle_name = len(data), b"x/data.pkl"
    size = len(saved)
    head = (b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(saved), size, size, len(pickle_name), 0)
    data += struct.pack("<4sHHHHHLLLHH", *head) + pickle_name + saved
    fields = (b"PK\1\2", 20, 20, 0, 0, 0, 0, zlib.crc32(saved), size, size, len(pickle_name))
    entries += struct.pack("<4sHHHHHHLLLHHHHHLL", *fields, 0, 0, 0, 0, 0, at) + pickle_name
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 1001, 1001, len(entries), len(data), 0)
    return data + entries + end


ZIPS = {
    "a plain zip without data.pkl": lambda sound: _flat(a=b"b"),
    "a data.pkl in a folder of a folder": lambda sound: _flat(x__y__data_pkl=_PICKLED),
    "a data.pkl outside": lambda sound: _flat(**{"..__..__data_pkl": _PICKLED}),
    "two entries of one name": lambda sound: _twice(),
    "a compressed pickle": lambda sound: _deflated(),
    "entries that overlap a thousand times": lambda sound: _overlapping(),
    "an encrypted pickle": lambda sound: _changed(_PLAIN, _directory(_PLAIN) + 8, b"\x01"),
    "another size of the pickle": lambda sound: _changed(
        _PLAIN, _directory(_PLAIN) + 20, struct.pack("<LL", 10, 10)
    ),
    "a size of 4 GB": lambda sound: _changed(
        _PLAIN, _directory(_PLAIN) + 20, struct.pack("<LL", 2**32 - 2, 2**32 - 2)
    ),
    "a size of 16 EB, without the field": lambda sound: _changed(
        _PLAIN, _directory(_PLAIN) + 20, struct.pack("<LL", 2**32 - 1, 2**32 - 1)
    ),
    "a local header elsewhere": lambda sound: _changed(
        _PLAIN, _directory(_PLAIN) + 42, struct.pack("<L", 7)
    ),
    "a local header beyond the end": lambda sound: _changed(
        _PLAIN, _directory(_PLAIN) + 42, struct.pack("<L", 2**31)
    ),
    "a long name in the local header": lambda sound: _changed(_PLAIN, 26, b"\xff\xff"),
    "another checksum": lambda sound: _changed(_PLAIN, _directory(_PLAIN) + 16, b"abcd"),
    "another count of entries": lambda sound: _changed(_PLAIN, _end(_PLAIN) + 10, b"\xff\xff"),
    "a directory of 4 GB": lambda sound: _changed(_PLAIN, _end(_PLAIN) + 12, b"\xfe" * 4),
    "a directory beyond the end": lambda sound: _changed(_PLAIN, _end(_PLAIN) + 16, b"\xfe" * 4),
    "a directory of zeros": lambda sound: _changed(_PLAIN, _directory(_PLAIN), bytes(46)),
    "an entry with a name of 64 KB": lambda sound: _changed(
        _PLAIN, _directory(_PLAIN) + 28, b"\xff\xff"
    ),
    "a zip64 end elsewhere": lambda sound: _changed(
        sound, sound.rindex(b"PK\6\7") + 8, struct.pack("<Q", 5)
    ),
    "a zip64 end beyond the end": lambda sound: _changed(
        sound, sound.rindex(b"PK\6\7") + 8, struct.pack("<Q", 2**63)
    ),
    "a zip64 count of 2^60": lambda sound: _changed(
        sound, sound.rindex(b"PK\6\6") + 32, struct.pack("<Q", 2**60)
    ),
    "only an end": lambda sound: sound[_end(sound) :],
    "no end": lambda sound: sound[: _end(sound)],
    "half an end": lambda sound: sound[: _end(sound) + 10],
    "bytes before it": lambda sound: bytes(1000) + _PLAIN,
    **{
        f"cut at {share} %": lambda sound, share=share: sound[: len(sound) * share // 100]
        for share in (1, 10, 25, 50, 75, 90, 99)
    },
}


@pytest.mark.parametrize("case", ZIPS)
def test_a_zip_that_lies_is_refused(tmp_path, case):
    path = tmp_path / "theirs.pt"
    path.write_bytes(ZIPS[case](_sound(tmp_path / "sound.pt")))
    with refused(r"theirs\.pt cannot be read as weights", error=WeightsError):
        read_tensors(path)


@pytest.fixture(scope="module")
def sound_bytes(tmp_path_factory) -> bytes:
    return _sound(tmp_path_factory.mktemp("sound") / "sound.pt")


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_refused_or_changes_no_number(tmp_path, sound_bytes, data):
    at = data.draw(st.integers(0, len(sound_bytes) - 1))
    changed = bytearray(sound_bytes)
    changed[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "theirs.pt"
    path.write_bytes(changed)
    with read_or_refused():
        assert torch.equal(read_tensors(path)["w"], torch.arange(64.0))


# what the tensors are


def _as(dtype):
    return lambda weight: (weight * 10).to(dtype)


WEIGHTS = {
    "integers": _as(torch.int32),
    "bytes": _as(torch.uint8),
    "booleans": _as(torch.bool),
    "complex numbers": _as(torch.complex64),
    "not a number": lambda weight: weight * float("nan"),
    "infinity": lambda weight: weight + float("inf"),
    "a scalar": lambda weight: weight.sum(),
    "another order": lambda weight: weight.T if weight.ndim == 2 else weight.flatten(),
    "nothing": lambda weight: weight[:0],
    "twice as many": lambda weight: torch.cat([weight, weight]),
    "a text": lambda weight: "0.5",
    "a list": lambda weight: weight.tolist(),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_a_vqgan_whose_weights_are_none_is_refused(tmp_path, taming_files, case):
    path, name = tmp_path / "theirs.ckpt", "quantize.embedding.weight"
    path.with_suffix(".yaml").write_text(taming_files[0].with_suffix(".yaml").read_text())
    state = taming_files[1].state_dict()
    torch.save({"state_dict": state | {name: WEIGHTS[case](state[name])}}, path)
    with refused(r"theirs\.ckpt.*quantize\.embedding\.weight", error=WeightsError):
        vq.load_models(str(path), clip="tiny", device="cpu")


@pytest.mark.parametrize("case", [case for case in WEIGHTS if case != "twice as many"])
def test_a_clip_whose_weights_are_none_is_refused(tmp_path, clip_model, case):
    path, name = tmp_path / "theirs.pt", "token_embedding.weight"
    state = clip_model.state_dict()
    torch.save(state | {name: WEIGHTS[case](state[name])}, path)
    with refused(r"theirs\.pt", error=WeightsError):
        vq.load_models("tiny", clip=[str(path)], device="cpu")


SIZES = {
    "a million tokens": ("positional_embedding", torch.zeros(1_000_000, 1)),
    "a million patches": ("visual.attnpool.positional_embedding", torch.zeros(1_000_000, 1)),
    "no width": ("text_projection", torch.zeros(0, 0)),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_clip_of_absurd_size_is_refused(tmp_path, clip_model, case):
    name, weight = SIZES[case]
    path = tmp_path / "theirs.pt"
    torch.save(clip_model.state_dict() | {name: weight}, path)
    with refused(r"theirs\.pt", error=WeightsError):
        vq.load_models("tiny", clip=[str(path)], device="cpu")


def test_a_discriminator_of_100000_layers_is_refused(tmp_path, taming_files):
    path = tmp_path / "theirs.ckpt"
    described = yaml.safe_load(taming_files[0].with_suffix(".yaml").read_text())
    path.with_suffix(".yaml").write_text(yaml.safe_dump(described))
    layers = {f"loss.discriminator.main.{i}.weight": torch.zeros(1, 0, 1, 1) for i in range(2000)}
    torch.save(taming_files[1].state_dict() | layers, path)
    with refused(r"theirs\.ckpt", error=WeightsError):
        vq.load_models(str(path), clip="tiny", device="cpu")
