"""Malicious or broken checkpoints: no code runs, and the error gives the reason."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

import vqclip_nb as vq
from vqclip_nb.models.safe_load import WeightsError


class _Calls:
    """Pickled as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class AttributeDict(dict):
    """As Lightning keeps hyper parameters in."""


class _Model:
    """A sound checkpoint with its yaml, of which each test breaks one thing."""

    def __init__(self, folder: Path, taming_files) -> None:
        self.path, self.mark = folder / "model.ckpt", folder / "executed"
        self.state = taming_files[1].state_dict()
        self.described = yaml.safe_load(taming_files[0].with_suffix(".yaml").read_text())

    @property
    def params(self) -> dict:
        return self.described["model"]["params"]

    def write(self, saved=None) -> None:
        torch.save({"state_dict": self.state} if saved is None else saved, self.path)
        self.describe(yaml.safe_dump(self.described))

    def describe(self, text: str) -> None:
        self.path.with_suffix(".yaml").write_text(text)

    def pack(self, pickled: bytes, name: str = "x/data.pkl", **storages: bytes) -> None:
        """An archive by hand; the yaml is sound."""
        self.describe(yaml.safe_dump(self.described))
        with zipfile.ZipFile(self.path, "w") as archive:
            archive.writestr(name, pickled)
            for key, data in storages.items():
                archive.writestr(f"x/data/{key}", data)

    def touch(self) -> tuple:
        """What an attack would call."""
        return os.system, f"touch {self.mark}"


def _storage(count, dtype="FloatStorage", key="s"):
    """The pickle of one tensor of `count` numbers in the storage `key`, by hand."""
    return ("storage", getattr(torch, dtype), key, "cpu", count)


def _tensor_pickle(size, stride, count, offset=0) -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            return _storage(count) if item == "STORAGE" else None

    class Tensor:
        def __reduce__(self):
            from torch._utils import _rebuild_tensor_v2

            return _rebuild_tensor_v2, ("STORAGE", offset, size, stride, False, OrderedDict())

    out = io.BytesIO()
    Pickler(out, 2).dump({"quantize.embedding.weight": Tensor()})
    return out.getvalue()


def a_state_dict_that_runs_a_command(model):
    model.write({"state_dict": _Calls(*model.touch())})


def a_whole_file_that_runs_a_command(model):
    model.write(_Calls(*model.touch()))


def a_tensor_rebuilt_by_eval(model):
    model.state["decoder.conv_in.weight"] = _Calls(eval, f"open({str(model.mark)!r}, 'w')")
    model.write()


def a_bare_pickle(model):
    model.write()
    model.path.write_bytes(pickle.dumps(_Calls(*model.touch())))


def an_empty_file(model):
    model.write()
    model.path.write_bytes(b"")


def a_truncated_file(model):
    model.write()
    model.path.write_bytes(model.path.read_bytes()[:-5000])


def a_page_of_html(model):
    model.write()
    model.path.write_text("<html>Sign in to download.</html>")


def a_flipped_byte_in_the_weights(model):
    model.write()
    data = bytearray(model.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    model.path.write_bytes(data)


def a_missing_weight(model):
    del model.state["decoder.conv_in.weight"]
    model.write()


def a_weight_of_another_shape(model):
    model.state["post_quant_conv.weight"] = torch.zeros(32, 17, 1, 1)
    model.write()


def weights_that_are_not_numbers(model):
    model.state["decoder.conv_in.bias"] = model.state["decoder.conv_in.bias"] * float("nan")
    model.write()


def a_weight_that_is_text(model):
    model.state["decoder.conv_in.bias"] = "0.5"
    model.write()


def only_an_optimizer(model):
    model.write({"state_dict": {"optimizer.step": torch.ones(3)}})


def a_tensor_beyond_its_storage(model):
    model.pack(_tensor_pickle((10**6, 10**6), (1, 1), 4), s=bytes(16))


def a_tensor_of_one_number_a_trillion_times(model):
    model.pack(_tensor_pickle((10**6, 10**6), (0, 0), 4), s=bytes(16))


def a_tensor_before_its_storage(model):
    model.pack(_tensor_pickle((2,), (1,), 4, offset=-2), s=bytes(16))


def a_storage_shorter_than_it_says(model):
    model.pack(_tensor_pickle((4,), (1,), 4), s=bytes(3))


def a_storage_that_is_not_there(model):
    model.pack(_tensor_pickle((4,), (1,), 4))


def a_pickle_that_asks_for_gigabytes(model):
    # LONG_BINPUT at the last index, which an array of that length would need
    model.pack(b"\x80\x02}r\xff\xff\xff\x7f.")


def a_pickle_that_holds_itself_many_times(model):
    nested: dict = {}
    for _ in range(40):
        nested = {"a": nested, "b": nested}
    model.pack(pickle.dumps(nested, 2))


def a_path_out_of_the_archive(model):
    model.pack(pickle.dumps({"a": 1}, 2), "../../x/data.pkl")


def a_yaml_that_makes_objects(model):
    model.write()
    model.describe(f"model: !!python/object/apply:os.system ['touch {model.mark}']")


def a_yaml_of_something_else(model):
    model.described["model"]["target"] = "os.system"
    model.write()


def a_yaml_with_absurd_numbers(model):
    model.params["ddconfig"]["num_res_blocks"] = 10**9
    model.write()


def a_yaml_with_an_absurd_number_in_a_list(model):
    model.params["ddconfig"]["ch_mult"] = [10**9, 1, 2]
    model.write()


def a_yaml_that_nothing_can_be_built_from(model):
    model.params["ddconfig"]["ch"] = 33  # which 32 groups do not divide
    model.write()


def a_yaml_without_a_number(model):
    del model.params["ddconfig"]["ch"]
    model.write()


def a_yaml_that_is_a_list(model):
    model.write()
    model.describe("- 1\n- 2\n")


def a_link_to_nowhere(model):
    model.write()
    model.path.unlink()
    model.path.symlink_to(model.path.with_name("gone.ckpt"))


def a_folder(model):
    model.path.mkdir()


def a_safetensors_file_with_a_huge_header(model):
    model.path = model.path.with_suffix(".safetensors")
    model.describe(yaml.safe_dump(model.described))
    model.path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def a_safetensors_file_that_reaches_beyond_its_end(model):
    model.path = model.path.with_suffix(".safetensors")
    model.describe(yaml.safe_dump(model.described))
    shape = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}
    header = json.dumps({"quantize.embedding.weight": shape}).encode()
    model.path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))


def a_safetensors_file_cut_short(model):
    model.path = model.path.with_suffix(".safetensors")
    model.describe(yaml.safe_dump(model.described))
    save_file({k: v.contiguous() for k, v in model.state.items()}, model.path)
    model.path.write_bytes(model.path.read_bytes()[:-100])


ATTACKS = {
    a_state_dict_that_runs_a_command: "holds no tensors",
    a_whole_file_that_runs_a_command: "holds no tensors",
    a_tensor_rebuilt_by_eval: "lacks decoder.conv_in.weight",
    a_bare_pickle: "neither a safetensors file nor a PyTorch archive",
    an_empty_file: "neither a safetensors file nor a PyTorch archive",
    a_truncated_file: "neither a safetensors file nor a PyTorch archive",
    a_page_of_html: "neither a safetensors file nor a PyTorch archive",
    a_flipped_byte_in_the_weights: "its CRC-32 differs",
    a_missing_weight: "lacks decoder.conv_in.weight",
    a_weight_of_another_shape: r"post_quant_conv.weight of shape \(32, 17, 1, 1\)",
    weights_that_are_not_numbers: "non-finite values in decoder.conv_in.bias",
    a_weight_that_is_text: "lacks decoder.conv_in.bias",
    only_an_optimizer: "holds no tensors",
    a_tensor_beyond_its_storage: "reaches beyond its storage",
    a_tensor_of_one_number_a_trillion_times: "reaches beyond its storage",
    a_tensor_before_its_storage: "invalid offset, size or stride",
    a_storage_shorter_than_it_says: "shorter than declared",
    a_storage_that_is_not_there: "its entry 'x/data/s' is missing",
    a_pickle_that_asks_for_gigabytes: "holds no tensors",
    a_pickle_that_holds_itself_many_times: "more entries, or longer names, than any model",
    a_path_out_of_the_archive: "without data.pkl",
    a_yaml_that_makes_objects: "cannot be read as yaml",
    a_yaml_of_something_else: r"os\.system.*allowed are VQModel",
    a_yaml_with_absurd_numbers: "num_res_blocks is 1000000000, allowed is 1 to 16",
    a_yaml_with_an_absurd_number_in_a_list: r"ch_mult\[0\] is 1000000000",
    a_yaml_that_nothing_can_be_built_from: "a VQGAN that cannot be built",
    a_yaml_without_a_number: "ddconfig.ch is None, allowed is",
    a_yaml_that_is_a_list: "not a model config",
    a_link_to_nowhere: "path of an existing checkpoint",
    a_folder: "give the path of a checkpoint",
    a_safetensors_file_with_a_huge_header: "cannot be read as weights",
    a_safetensors_file_that_reaches_beyond_its_end: "cannot be read as weights",
    a_safetensors_file_cut_short: "cannot be read as weights",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_hostile_checkpoint_is_refused_by_file_and_reason(tmp_path, taming_files, attack):
    model = _Model(tmp_path, taming_files)
    attack(model)
    with pytest.raises(ValueError, match=ATTACKS[attack]) as refused:
        vq.load_models(str(model.path), device="cpu")
    assert "model." in str(refused.value)  # the file is named
    assert not model.mark.exists()


def test_the_pickles_of_lightning_load(tmp_path, taming_files):
    """Class objects as keys, dict subclasses and calls stay inert, and the weights are read."""
    model = _Model(tmp_path, taming_files)

    saved = {"state_dict": model.state, "hyper_parameters": AttributeDict(lr=4.5e-6)}
    saved["callbacks"] = {AttributeDict: {"best": torch.tensor(3.0)}}
    saved["loops"] = _Calls(*model.touch())
    model.write(saved)
    loaded = vq.load_models(str(model.path), device="cpu")
    expected = model.state["quantize.embedding.weight"]
    assert torch.equal(loaded.vqgan.codebook, expected)
    assert not model.mark.exists()


def test_a_clip_that_is_broken_is_refused(tmp_path, clip_model):
    state = clip_model.state_dict()
    for name, change, said in (
        ("positional_embedding", torch.full((77, 64), float("inf")), "non-finite"),
        ("text_projection", torch.zeros(3, 4), "is not a CLIP checkpoint"),
        ("visual.conv1.weight", None, "is not a CLIP checkpoint"),
    ):
        broken = {k: v for k, v in state.items() if k != name}
        if change is not None:
            broken[name] = change
        torch.save(broken, tmp_path / "clip.pt")
        with pytest.raises(WeightsError, match=rf"clip\.pt.*{said}"):
            vq.load_models("tiny", clip=[str(tmp_path / "clip.pt")], device="cpu")
