"""Files of strangers, read safely: tensors come out, no code runs.

A PyTorch checkpoint and a TorchScript archive are both zip files with a pickle inside. The pickle
is read by an unpickler that knows tensors and plain containers; every other class that it names
becomes an inert placeholder, which is never called. The numbers of a tensor are read when it is
wanted: of 4 GB of a transformer with its optimizer only the 300 MB of the VQGAN inside.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import safe_open
from torch import Tensor

_LARGEST_PICKLE = 64 * 2**20  # bytes; those of the published models have less than 1 MiB
_MOST_ENTRIES = 1_000_000  # of a checkpoint's tree


class WeightsError(ValueError):
    """A file cannot be used; the sentence names the file, the reason and what to do."""


def read_tensors(
    path: str | Path, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, `.ckpt`, `.pt` or TorchScript file, on the CPU, by name.

    wanted: tells by its name whether a tensor is to be read

    Of a training checkpoint only its `state_dict` is looked at. Raises WeightsError.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not a file: give the path of a checkpoint.")
    try:
        read = _read_safetensors if path.suffix == ".safetensors" else _read_archive
        tensors = read(path, wanted)
    except WeightsError:
        raise
    except Exception as error:  # a stranger's file can be wrong in any way
        said = str(error) or type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {said}.") from error
    if not tensors:
        raise WeightsError(f"{path} holds no tensors that are looked for: it is another model's.")
    return tensors


def read_yaml(path: str | Path) -> dict:
    """A yaml file as plain containers; tags that would make objects are refused."""
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} cannot be read as yaml: {error}.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is no model description: expected a yaml with `model.params`.")
    return config


def _read_safetensors(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The tensors are mapped, not read: what is never touched takes no memory."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118


def _read_archive(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    if not zipfile.is_zipfile(path):
        raise WeightsError(
            f"{path} is neither a safetensors file nor a PyTorch archive: "
            "save it again with torch.save or as safetensors."
        )
    with zipfile.ZipFile(path) as file:
        root = next((n[: -len("data.pkl")] for n in file.namelist() if _is_root(n)), None)
        if root is None:
            raise WeightsError(f"{path} is a zip file without data.pkl: it is no PyTorch archive.")
        archive = _Archive(file, root)
        tree = archive.tree()
        if isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
            tree = tree["state_dict"]
        return {name: archive.tensor(s) for name, s in _named_tensors(tree) if wanted(name)}


def _is_root(name: str) -> bool:
    return name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)


def _named_tensors(tree: Any) -> Iterator[tuple[str, _StoredTensor]]:
    """Dotted names and tensors of nested dicts and of the attributes of inert objects."""
    left, seen = [("", tree)], 0
    while left:
        prefix, node = left.pop()
        items = vars(node) if isinstance(node, _Inert) else node
        seen += len(items) if isinstance(items, dict) else 0
        if seen > _MOST_ENTRIES:  # a few containers that hold each other many times over
            raise pickle.UnpicklingError("it has more entries than any model")
        for name, value in items.items() if isinstance(items, dict) else ():
            if isinstance(value, _StoredTensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, (dict, _Inert)):
                left.append((f"{prefix}{name}.", value))


class _Inert:
    """Stands for any class that the pickle names; takes its state and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Lightning's own dictionaries are filled item by item; what is in them is not needed."""

    def append(self, item: Any) -> None:
        """Nor is what is in a list of another class."""


@dataclass(frozen=True)
class _Storage:
    """Numbers in a row: a file of the archive."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class _StoredTensor:
    """Where in a storage the numbers of a tensor lie."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _StoredTensor:
    whole = [offset, *size, *stride]
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in whole):
        raise pickle.UnpicklingError("a tensor is described by no numbers")
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if math.prod(size) > storage.count or (0 not in size and reach > storage.count):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return _StoredTensor(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_BUILDERS = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("collections", "OrderedDict"): collections.OrderedDict,
}


class _Archive:
    """A zip file of `torch.save` or `torch.jit.save`."""

    def __init__(self, file: zipfile.ZipFile, root: str) -> None:
        self.file, self.root = file, root
        self._read: dict[_Storage, Tensor] = {}

    def tree(self) -> Any:
        """What was saved, with `_StoredTensor` for the tensors and `_Inert` for all else."""
        if self.file.getinfo(f"{self.root}data.pkl").file_size > _LARGEST_PICKLE:
            raise pickle.UnpicklingError("its data.pkl is larger than any model's")
        return _TensorUnpickler(self.file.read(f"{self.root}data.pkl")).load()

    def tensor(self, stored: _StoredTensor) -> Tensor:
        """The numbers; tensors of one storage share them."""
        storage = stored.storage
        if storage not in self._read:
            self._read[storage] = self._numbers(storage)
        return self._read[storage].as_strided(stored.size, stored.stride, stored.offset)

    def _numbers(self, storage: _Storage) -> Tensor:
        name, length = f"{self.root}data/{storage.key}", storage.count * storage.dtype.itemsize
        info = self.file.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size < length:
            raise pickle.UnpicklingError("a storage is compressed or shorter than it says")
        if not length:  # an empty buffer cannot be read from
            return torch.empty(0, dtype=storage.dtype)
        data = bytearray(info.file_size)
        with self.file.open(name) as opened:  # which compares the checksum at its end
            opened.readinto(data)
        return torch.frombuffer(data, dtype=storage.dtype, count=storage.count)


class _TensorUnpickler(pickle._Unpickler):
    """Builds descriptions of tensors and plain containers; anything else becomes `_Inert`.

    Python's own unpickler, not the one in C: its memo is a dict, where the other's is an array
    that a stranger's file can make as long as it likes.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        return _BUILDERS.get((module, name), _Inert)

    def persistent_load(self, saved: Any) -> _Storage:
        kind, dtype, key, _device, count = saved
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"a storage of an unknown kind, {kind!r}")
        if type(count) is not int or count < 0 or not isinstance(key, str):
            raise pickle.UnpicklingError("a storage is described by no numbers")
        return _Storage(key, dtype, count)
