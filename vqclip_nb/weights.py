"""Files of strangers, read safely: tensors come out, no code runs.

A PyTorch checkpoint and a TorchScript archive are both zip files with a pickle inside. The pickle
is read by an unpickler that knows tensors and plain containers; every other class that it names
becomes an inert placeholder, which is never called. The storages are read by their numbers.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor


class WeightsError(ValueError):
    """A file cannot be used; the sentence names the file, the reason and what to do."""


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a `.safetensors`, `.ckpt`, `.pt` or TorchScript file, on the CPU, by name.

    Of a training checkpoint only its `state_dict` is kept. Raises WeightsError.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not a file: give the path of a checkpoint.")
    try:
        tensors = _read(path)
    except (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}.") from error
    if not tensors:
        raise WeightsError(f"{path} holds no tensors: it is no model's checkpoint.")
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


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    if not zipfile.is_zipfile(path):
        raise WeightsError(
            f"{path} is neither a safetensors file nor a PyTorch archive: "
            "save it again with torch.save or as safetensors."
        )
    with zipfile.ZipFile(path) as archive:
        root = next((n[: -len("data.pkl")] for n in archive.namelist() if _is_root(n)), None)
        if root is None:
            raise WeightsError(f"{path} is a zip file without data.pkl: it is no PyTorch archive.")
        tree = _TensorUnpickler(archive, root).load()
    if isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
        tree = tree["state_dict"]
    return dict(_named_tensors(tree, ""))


def _is_root(name: str) -> bool:
    return name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)


def _named_tensors(tree: Any, prefix: str):
    """Yield (dotted name, tensor) of nested dicts and of the attributes of inert objects."""
    items = vars(tree) if isinstance(tree, _Inert) else tree
    if not isinstance(items, dict):
        return
    for name, value in items.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, (dict, _Inert)):
            yield from _named_tensors(value, f"{prefix}{name}.")


class _Inert:
    """Stands for any class that the pickle names; takes its state and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if offset < 0 or min((*stride, 0)) < 0 or (0 not in size and reach > len(storage)):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return storage.as_strided(size, stride, offset).clone()


def _rebuild_parameter(data: Tensor, *_: Any) -> Tensor:
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


class _TensorUnpickler(pickle.Unpickler):
    """Builds tensors and plain containers; anything else becomes `_Inert`."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")), encoding="utf-8")
        self.archive, self.root = archive, root
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        return _BUILDERS.get((module, name), _Inert)

    def persistent_load(self, saved: Any) -> Tensor:
        kind, dtype, key, _device, count = saved
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"a storage of an unknown kind, {kind!r}")
        if key not in self.storages:
            data = bytearray(self.archive.read(f"{self.root}data/{key}"))
            if len(data) < count * dtype.itemsize:
                raise pickle.UnpicklingError("a storage is shorter than it says")
            # an empty storage has no buffer to read from
            flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            self.storages[key] = flat
        return self.storages[key]
