"""Load untrusted checkpoints without executing code.

PyTorch checkpoints and TorchScript archives are zip files that contain a pickle. The unpickler here
builds descriptions of tensors and plain containers; every other global becomes an inert
placeholder. Only the requested tensors are read: the 300 MB of the VQGAN from a 4 GB transformer
checkpoint with its optimizer.

Why not `torch.load(weights_only=True, mmap=True)` with placeholders in `safe_globals`? Tried with
torch 2.14, it

- refuses TorchScript archives, the format of OpenAI's CLIP files;
- refuses Lightning checkpoints: SETITEM works on plain dicts only, so that no placeholder can stand
  in for Lightning's AttributeDict, and any global of `os`, `posix` or `sys` rejects the whole file;
- does not verify checksums, so that a flipped byte in a mapped tensor goes unnoticed;
- returns tensors of 10**12 elements over a storage of 4 (stride 0): a memory bomb for the caller;
- keeps `safe_globals` in a variable of the process, shared by all threads.
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

_LARGEST_PICKLE = 64 * 2**20  # bytes; published models need less than 1 MiB
_MOST_ENTRIES = 1_000_000  # in the tree of a checkpoint


class WeightsError(ValueError):
    """A file cannot be used; the message names the file, the reason and the remedy."""


def read_tensors(
    path: str | Path, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors`, `.ckpt`, `.pt` or TorchScript file onto the CPU.

    wanted: called with each name; only tensors for which it returns True are read

    If the file has a `state_dict`, only that part is searched. Raises WeightsError.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not a file: give the path of a checkpoint.")
    try:
        read = _read_safetensors if path.suffix == ".safetensors" else _read_archive
        tensors = read(path, wanted)
    except WeightsError:
        raise
    except Exception as error:  # an untrusted file can fail in any way
        reason = str(error) or type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}.") from error
    if not tensors:
        raise WeightsError(
            f"{path} holds no tensors with the expected names: give a checkpoint of this model type."
        )
    return tensors


def read_yaml(path: str | Path) -> dict:
    """Read a yaml file as plain containers; tags that construct objects raise WeightsError."""
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} cannot be read as yaml: {error}.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is not a model config: expected a yaml with `model.params`.")
    return config


def _read_safetensors(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """Map the tensors: pages that are never touched take no memory."""
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
            raise WeightsError(
                f"{path} is a zip file without data.pkl, not a PyTorch archive: "
                "save it again with torch.save or as safetensors."
            )
        archive = _Archive(file, root)
        tree = archive.tree()
        if isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
            tree = tree["state_dict"]
        return {name: archive.tensor(s) for name, s in _named_tensors(tree) if wanted(name)}


def _is_root(name: str) -> bool:
    return name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)


def _named_tensors(tree: Any) -> Iterator[tuple[str, _StoredTensor]]:
    """Yield the dotted names and tensors of nested dicts and of placeholders' attributes."""
    left, seen = [("", tree)], 0
    while left:
        prefix, node = left.pop()
        items = vars(node) if isinstance(node, _Inert) else node
        seen += len(items) if isinstance(items, dict) else 0
        if seen > _MOST_ENTRIES:  # a few shared containers can nest to exponential size
            raise pickle.UnpicklingError("it has more entries than any model")
        for name, value in items.items() if isinstance(items, dict) else ():
            if isinstance(value, _StoredTensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, (dict, _Inert)):
                left.append((f"{prefix}{name}.", value))


class _Inert:
    """Placeholder for any other global in the pickle: it stores its state and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore the items of dict subclasses, such as Lightning's AttributeDict."""

    def append(self, item: Any) -> None:
        """Ignore the items of list subclasses."""


@dataclass(frozen=True)
class _Storage:
    """A flat array of `count` elements, stored as one file of the archive."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class _StoredTensor:
    """A strided view of a storage."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _StoredTensor:
    view = [offset, *size, *stride]
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in view):
        raise pickle.UnpicklingError("a tensor has an invalid offset, size or stride")
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
    """A zip file written by `torch.save` or `torch.jit.save`."""

    def __init__(self, file: zipfile.ZipFile, root: str) -> None:
        self.file, self.root = file, root
        self._read: dict[_Storage, Tensor] = {}

    def tree(self) -> Any:
        """The saved object, with `_StoredTensor` for tensors and `_Inert` for other classes."""
        if self.file.getinfo(f"{self.root}data.pkl").file_size > _LARGEST_PICKLE:
            raise pickle.UnpicklingError("its data.pkl is larger than that of any model")
        return _TensorUnpickler(self.file.read(f"{self.root}data.pkl")).load()

    def tensor(self, stored: _StoredTensor) -> Tensor:
        """Read a tensor; tensors of the same storage share memory."""
        storage = stored.storage
        if storage not in self._read:
            self._read[storage] = self._elements(storage)
        return self._read[storage].as_strided(stored.size, stored.stride, stored.offset)

    def _elements(self, storage: _Storage) -> Tensor:
        name, length = f"{self.root}data/{storage.key}", storage.count * storage.dtype.itemsize
        info = self.file.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size < length:
            raise pickle.UnpicklingError("a storage is compressed or shorter than declared")
        if not length:  # torch.frombuffer refuses an empty buffer
            return torch.empty(0, dtype=storage.dtype)
        data = bytearray(info.file_size)
        with self.file.open(name) as opened:  # verifies the CRC-32 at the end
            opened.readinto(data)
        return torch.frombuffer(data, dtype=storage.dtype, count=storage.count)


class _TensorUnpickler(pickle._Unpickler):
    """Unpickler that resolves every global except tensors and OrderedDict to `_Inert`.

    It extends the Python implementation because the memo of the C implementation is an array,
    whose length the file can choose: a memory bomb in ten bytes.
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
            raise pickle.UnpicklingError("a storage has an invalid size or key")
        return _Storage(key, dtype, count)
