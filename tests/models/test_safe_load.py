"""Reading untrusted files returns the saved tensors and executes no code."""

import os
import pickle
import warnings
import zipfile

import clip
import pytest
import torch
from safetensors.torch import save_file

from vqclip_nb.models.safe_load import WeightsError, read_tensors, read_yaml


def _tensors() -> dict:
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    return {
        "a": base,
        "transposed": base.T,  # a view: stride and offset matter
        "row": base[2],
        "half": torch.randn(3).half(),
        "count": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "flags": torch.tensor([True, False]),
    }


def test_a_checkpoint_gives_what_was_saved(tmp_path):
    torch.save({"state_dict": _tensors(), "epoch": 1}, tmp_path / "a.ckpt")
    read = read_tensors(tmp_path / "a.ckpt")
    assert read.keys() == _tensors().keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in _tensors().items())


def test_safetensors_give_what_was_saved(tmp_path):
    save_file({"a": torch.arange(3.0)}, tmp_path / "a.safetensors")
    assert torch.equal(read_tensors(tmp_path / "a.safetensors")["a"], torch.arange(3.0))


def test_a_torchscript_archive_is_read_without_torch_jit(tmp_path, clip_model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(clip_model, (torch.zeros(1, 3, 64, 64), clip.tokenize(["a cat"])))
        traced.save(str(tmp_path / "clip.pt"))
    read, expected = read_tensors(tmp_path / "clip.pt"), clip_model.state_dict()
    missing = {name for name in expected if name not in read}
    assert not missing
    assert all(torch.equal(read[name], expected[name]) for name in expected)


class _Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def test_a_pickle_that_calls_a_function_calls_nothing(tmp_path):
    mark = tmp_path / "executed"
    saved = {"state_dict": {"a": torch.ones(2)}, "callback": _Attack(mark)}
    torch.save(saved, tmp_path / "evil.ckpt")
    assert torch.equal(read_tensors(tmp_path / "evil.ckpt")["a"], torch.ones(2))
    assert not mark.exists()


def _archive(path, data: bytes, storage: bytes = b""):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", data)
        archive.writestr("x/data/0", storage)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "bad.ckpt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.ckpt"):
        read_tensors(tmp_path / "bad.ckpt")


def test_a_truncated_checkpoint_is_refused(tmp_path):
    torch.save(_tensors(), tmp_path / "whole.ckpt")
    data = (tmp_path / "whole.ckpt").read_bytes()
    (tmp_path / "half.ckpt").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match=r"half\.ckpt"):
        read_tensors(tmp_path / "half.ckpt")


def test_a_pickle_of_something_else_is_refused(tmp_path):
    _archive(tmp_path / "list.ckpt", pickle.dumps([1, 2, 3]))
    with pytest.raises(WeightsError, match="holds no tensors"):
        read_tensors(tmp_path / "list.ckpt")


def test_a_yaml_that_makes_objects_is_refused(tmp_path):
    (tmp_path / "evil.yaml").write_text("model: !!python/object/apply:os.getcwd []")
    with pytest.raises(WeightsError, match="cannot be read as yaml"):
        read_yaml(tmp_path / "evil.yaml")
