"""Load untrusted checkpoints without executing code.

PyTorch checkpoints and TorchScript archives are zip files that contain a pickle. `inert_pickle` reads
it as descriptions of tensors and plain containers; every other class is a placeholder. Only the
requested tensors are read: the 300 MB of the VQGAN from a 4 GB transformer checkpoint with its
optimizer.

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

import math
import struct
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import safe_open
from torch import Tensor

from vqclip_nb.models.errors import WeightsError
from vqclip_nb.models.inert_pickle import Inert, PickleError, Storage, StoredTensor, read_pickle
from vqclip_nb.models.stored_zip import StoredZip
from vqclip_nb.untrusted.files import open_file, read_file
from vqclip_nb.untrusted.text import reason_of

# All names of tensors in a file, to those to read: {name: the name in the file}.
Choose = Callable[[list[str]], dict[str, str]]

_MOST_ENTRIES = 200_000  # in the tree of a checkpoint
_DEEPEST = 64  # levels of it
_LONGEST_NAME = 1000  # characters
_MOST_SHARED = 4  # times that a file's bytes may appear in its tensors
_LARGEST_HEADER = 16 * 2**20  # bytes, of a safetensors file
_LARGEST_YAML = 64 * 2**10  # bytes; published ones have 3 KiB


def read_tensors(
    path: str | Path, choose: Choose = lambda names: dict(zip(names, names, strict=True))
) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors`, `.ckpt`, `.pt` or TorchScript file onto the CPU.

    choose: called with all names; only the tensors that it returns are read, and renamed

    If the file has a `state_dict`, only that part is searched. Raises WeightsError.
    """
    path = Path(path)
    try:
        read = _read_safetensors if path.suffix == ".safetensors" else _read_archive
        tensors = read(path, choose)
    except WeightsError:
        raise
    except Exception as error:  # an untrusted file can fail in any way
        raise WeightsError(
            f"{path} cannot be read as weights: {reason_of(error)}; give the path of a checkpoint "
            "saved with torch.save or as safetensors."
        ) from error
    if not tensors:
        raise WeightsError(
            f"{path} holds no tensors with the expected names: give a checkpoint of this model type."
        )
    return tensors


def check_floats(tensors: dict[str, Tensor], file: Path) -> None:
    """Raise WeightsError unless all of them are real numbers with a fraction, as weights are."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise WeightsError(
                f"{file} has {name} as {kind}, expected floating-point numbers: get another copy "
                "of it."
            )


def read_yaml(path: str | Path) -> dict:
    """Read a yaml file as plain containers; tags that construct objects raise WeightsError."""
    try:
        config = yaml.load(read_file(path, _LARGEST_YAML), _PlainLoader)
    except Exception as error:  # also numbers and dates that Python cannot have
        raise WeightsError(f"{path} cannot be read as yaml: {reason_of(error)}.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is not a model config: expected a yaml with `model.params`.")
    return config


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader; refuses merge keys, which can double the file again and again."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge nothing: the key `<<` has no constructor, which raises."""


def _read_safetensors(path: Path, choose: Choose) -> dict[str, Tensor]:
    """Map the tensors: pages that are never touched take no memory."""
    with open_file(path) as opened:
        begin = opened.read(8)
    if len(begin) < 8 or struct.unpack("<Q", begin)[0] > _LARGEST_HEADER:
        raise ValueError("it is not a safetensors file, or its header is too large")
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(at) for name, at in choose([*file.keys()]).items()}


def _read_archive(path: Path, choose: Choose) -> dict[str, Tensor]:
    with StoredZip(path) as file:
        root = next((n[: -len("data.pkl")] for n in file.names() if _is_root(n)), None)
        if root is None:
            raise ValueError("it is a zip file without data.pkl, not a PyTorch archive")
        archive = _Archive(file, root)
        tree = read_pickle(bytes(file.read(f"{root}data.pkl")))
        if isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
            tree = tree["state_dict"]
        stored = dict(_named_tensors(tree))
        found = {name: stored[at] for name, at in choose([*stored]).items()}
        archive.check(found.values())
        return {name: archive.tensor(each) for name, each in found.items()}


def _is_root(name: str) -> bool:
    return name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)


def _named_tensors(tree: Any) -> Iterator[tuple[str, StoredTensor]]:
    """Yield the dotted names and tensors of nested dicts and of placeholders' attributes."""
    left, seen = [("", tree, 1)], 0
    while left:
        prefix, node, depth = left.pop()
        items = node.attributes if isinstance(node, Inert) else node
        seen += len(items) if isinstance(items, dict) else 0
        # a few shared containers can nest to exponential size, or hold themselves
        if seen > _MOST_ENTRIES or depth > _DEEPEST or len(prefix) > _LONGEST_NAME:
            raise PickleError("it has more entries, or longer names, than any model")
        for name, value in items.items() if isinstance(items, dict) else ():
            if isinstance(value, StoredTensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, (dict, Inert)):
                left.append((f"{prefix}{name}.", value, depth + 1))


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
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}


class _Archive:
    """The storages of a zip file written by `torch.save` or `torch.jit.save`."""

    def __init__(self, file: StoredZip, root: str) -> None:
        self.file, self.root = file, root
        self._read: dict[str, tuple[Storage, Tensor]] = {}

    def check(self, tensors: Collection[StoredTensor]) -> None:
        """Raise ValueError if the tensors need much more memory than the file has bytes."""
        sizes = (math.prod(t.size) * _dtype(t.storage).itemsize for t in tensors)
        if sum(sizes) > _MOST_SHARED * self.file.size:
            raise ValueError("its tensors share storages to many times the file's size")

    def tensor(self, stored: StoredTensor) -> Tensor:
        """Read a tensor; tensors of the same storage share memory."""
        storage = stored.storage
        if storage.key not in self._read:
            self._read[storage.key] = storage, self._elements(storage)
        known, elements = self._read[storage.key]
        if known != storage:
            raise ValueError("a storage has two types or sizes")
        return elements.as_strided(stored.size, stored.stride, stored.offset)

    def _elements(self, storage: Storage) -> Tensor:
        name, dtype = f"{self.root}data/{storage.key}", _dtype(storage)
        length = storage.count * dtype.itemsize
        if self.file.size_of(name) < length:
            raise ValueError("a storage is shorter than declared")
        if not length:  # torch.frombuffer refuses an empty buffer
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(self.file.read(name), dtype=dtype, count=storage.count)


def _dtype(storage: Storage) -> torch.dtype:
    if storage.kind not in _DTYPES:
        raise ValueError(f"it has numbers of the kind {storage.kind}")
    return _DTYPES[storage.kind]
