"""A run's folder that was damaged still gives what it holds, and says what it does not."""

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from quick_runs import finished, run_of, stopped
from safetensors import safe_open
from safetensors.torch import save_file

import vqclip_nb as vq
from vqclip_nb.pictures import open_picture
from vqclip_nb.storage.ffmpeg import frame_count, read_video
from vqclip_nb.storage.run_folder import RunFolder


@pytest.fixture(scope="module")
def begun(tiny, tmp_path_factory) -> Path:
    """A run of 12 iterations that was stopped after 10; it kept the steps 4 and 8."""
    quick = {"im_shape": (64, 64), "cutn": 2, "seed": 5, "device": "cpu"}
    quick |= {"out": tmp_path_factory.mktemp("runs")}
    run = run_of(quick, tiny, prompt="a red apple", total_iter=12, show_step=4)
    stopped(run, 10)
    return run.folder.path


@pytest.fixture
def folder(begun, tmp_path) -> Path:
    return shutil.copytree(begun, tmp_path / "run")


def _state(folder: Path) -> tuple[dict, dict]:
    with safe_open(folder / "state.safetensors", "pt") as file:
        header = json.loads(file.metadata()["state"])
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118


def _with_header(**changes):
    def damage(folder: Path) -> None:
        tensors, header = _state(folder)
        header = {k: v for k, v in (header | changes).items() if v is not ...}
        save_file(tensors, folder / "state.safetensors", {"state": json.dumps(header)})

    return damage


def _with_tensors(**changes):
    """`...` removes a tensor; a function changes it."""

    def damage(folder: Path) -> None:
        tensors, header = _state(folder)
        for name, change in changes.items():
            name = name.replace("__", ".")
            tensors[name] = change if change is ... else change(tensors[name]).contiguous()
        tensors = {name: value for name, value in tensors.items() if value is not ...}
        save_file(tensors, folder / "state.safetensors", {"state": json.dumps(header)})

    return damage


def _state_of(data: bytes):
    return lambda folder: (folder / "state.safetensors").write_bytes(data)


def _without_header(folder: Path) -> None:
    save_file(_state(folder)[0], folder / "state.safetensors")


def _cut(folder: Path) -> None:
    file = folder / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


BROKEN_STATES = {
    "empty": _state_of(b""),
    "a page": _state_of(b"<html>Sign in</html>"),
    "vast header": _state_of(b"\xff" * 99),
    "cut": _cut,
    "no header": _without_header,
    "no settings": _with_header(plan=...),
    "settings of another kind": _with_header(plan=[1]),
    "no log": _with_header(plan={"prompt": "a cat"}),
    "no iteration": _with_header(i=...),
    "a negative iteration": _with_header(i=-3),
    "half an iteration": _with_header(i=2.5),
    "no time": _with_header(seconds="long"),
    "a time that is not a number": _with_header(seconds=float("nan")),
    "no latent": _with_tensors(z=...),
    "no start": _with_tensors(start=...),
    "a latent of another size": _with_tensors(z=lambda z: z[..., :4]),
    "a latent without a batch": _with_tensors(z=lambda z: z[0]),
    "a latent of whole numbers": _with_tensors(z=lambda z: z.int()),
    "a latent that is not a number": _with_tensors(z=lambda z: z * float("nan")),
    "half a memory": _with_tensors(optimizer__exp_avg=...),
    "a memory of another size": _with_tensors(optimizer__exp_avg=lambda x: x[:, :3]),
}


@pytest.mark.parametrize("name", BROKEN_STATES)
def test_without_a_whole_state_it_continues_from_the_last_step(name, folder, tiny):
    BROKEN_STATES[name](folder)
    with pytest.warns(UserWarning, match="continues from step 8, with a new optimizer"):
        run = vq.Run.resume(folder, models=tiny)
    step = np.asarray(open_picture(folder / "steps" / "000008.png"))
    assert np.array_equal(np.asarray(run.images()[0]), step)
    assert [it.i for it in run] == [9, 10, 11, 12]
    assert RunFolder(folder).is_done()
    assert len(list(read_video(folder / "timelapse.mp4"))) == 12
    assert [row["iteration"] for row in run.history] == list(range(1, 13))


def test_without_a_state_the_live_changes_of_the_log_are_repeated(folder, tiny):
    log = json.loads((folder / "settings.json").read_text())
    log["updates"] = [{"iteration": 3, "w1": 0.5}, {"iteration": 10, "w1": 0.25}]
    (folder / "settings.json").write_text(json.dumps(log))
    (folder / "state.safetensors").unlink()
    with pytest.warns(UserWarning, match="has no state.safetensors.*continues from step 8"):
        run = vq.Run.resume(folder, models=tiny)
    assert run.settings.w1 == 0.5
    finished(run)
    assert run.settings.w1 == 0.25


def test_a_damaged_step_is_passed_over(folder, tiny):
    for name in ("state", "steps/000008"):
        (folder / f"{name}.safetensors").write_bytes(b"\0" * 50)
    with pytest.warns(UserWarning, match="continues from step 4"):
        assert vq.Run.resume(folder, models=tiny).i == 4


@pytest.mark.parametrize("gone", [["settings.json"], ["settings.json", "picture.png"]])
def test_without_other_files_the_settings_are_those_of_a_picture(gone, folder, tiny):
    for name in ("state.safetensors", *gone):
        (folder / name).unlink()
    with pytest.warns(UserWarning, match="continues from step 8"):
        run = vq.Run.resume(folder, models=tiny)
    assert (run.plan.prompt, run.plan.total_iter) == ("a red apple", 12)


def test_where_nothing_is_whole_a_sentence_says_so(folder, tiny):
    for file in folder.rglob("*.safetensors"):
        file.write_bytes(b"\0" * 50)
    with pytest.raises(ValueError, match=r"state\.safetensors is damaged .* paint it again\.$"):
        vq.Run.resume(folder, models=tiny)
    with pytest.raises(ValueError, match="is not a run's folder"):
        vq.Run.resume(folder / "steps", models=tiny)


def test_a_mask_is_kept_where_the_state_is_lost(quick, tiny, tmp_path):
    picture, mask = np.full((64, 64, 3), 200, np.uint8), np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 255
    for name, pixels in (("picture", picture), ("mask", mask)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    sources = {name: str(tmp_path / f"{file}.png") for name, file in MASKED.items()}
    run = finished(run_of(quick, tiny, total_iter=2, show_step=2, **sources))
    (run.folder.path / "state.safetensors").unlink()
    with pytest.warns(UserWarning, match="continues from step 2"):
        resumed = vq.Run.resume(run.folder.path, models=tiny)
    assert torch.equal(resumed.loop.mask.paint, run.loop.mask.paint)
    assert np.array_equal(np.asarray(resumed.images()[0]), np.asarray(run.images()[0]))


MASKED = {"init_image": "picture", "mask": "mask"}


def _write(name: str, data: bytes):
    return lambda folder: (folder / name).write_bytes(data)


def _remove(*names: str):
    def damage(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _fifo(folder: Path) -> None:
    for name in ("settings.json", "history.csv"):
        (folder / name).unlink()
        os.mkfifo(folder / name)


HEALED = {  # nothing is lost: what is missing follows from the rest
    "an unknown setting": _with_header(plan={"speed": 3, "updates": []}),
    "no settings": _remove("settings.json"),
    "broken settings": _write("settings.json", b"{"),
    "no pictures": _remove("picture.png", "steps"),
    "no frames": _remove("frames"),
    "a missing segment": _remove("frames/000004.mp4"),
    "a broken segment": _write("frames/000008.mp4", b"\0\0\0\x08free"),
    "no pending frames": _remove("frames/000010.npz"),
    "broken pending frames": _write("frames/000010.npz", b"PK\3\4"),
    "no film": _remove("timelapse.mp4"),
    "a cut film": _write("timelapse.mp4", b"\0\0\0\x20ftyp"),
    "another file among the steps": _write("steps/best.safetensors", b""),
    "another file among the frames": _write("frames/holiday.npz", b""),
}


@pytest.mark.parametrize("name", HEALED)
def test_what_is_missing_is_made_again(name, folder, tiny):
    HEALED[name](folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run = finished(vq.Run.resume(folder, models=tiny))
    assert len(run.history) == run.i == 12
    assert RunFolder(folder).is_done()
    assert len(list(read_video(folder / "timelapse.mp4"))) == 12
    assert (folder / "steps" / "000012.png").is_file()


LOST = {  # what the folder lacks, in the warning's words, and its frames and rows at the end
    "frames and film": (_remove("frames", "timelapse.mp4"), "10 of 10 frames", 2, 12),
    "a segment and the film": (_remove("frames/000004.mp4", "timelapse.mp4"), "4 of 10", 8, 12),
    "no history": (_remove("history.csv"), "10 of 10 rows of its history", 12, 2),
    "a broken history": (_write("history.csv", b"iteration\n\xff"), "10 of 10 rows", 12, 2),
    "pipes": (_fifo, "10 of 10 rows", 12, 2),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_named_once_and_the_run_goes_on(name, folder, tiny):
    damage, words, frames, rows = LOST[name]
    damage(folder)
    with pytest.warns(UserWarning, match=f"was damaged: it lacks {words}"):
        run = finished(vq.Run.resume(folder, models=tiny))
    assert (frame_count(folder / "timelapse.mp4"), len(run.history)) == (frames, rows)
    assert RunFolder(folder).is_done()


def test_a_finished_run_whose_film_is_cut_is_not_done_until_it_is_made_again(folder, tiny):
    finished(vq.Run.resume(folder, models=tiny))
    film = folder / "timelapse.mp4"
    film.write_bytes(film.read_bytes()[:-50])
    assert not RunFolder(folder).is_done()
    assert list(vq.Run.resume(folder, models=tiny)) == []
    assert RunFolder(folder).is_done()


def test_folders_deleted_while_painting_are_made_again(quick, tiny):
    run = run_of(quick, tiny, total_iter=6, show_step=2)
    for it in run:
        if it.i == 3:
            shutil.rmtree(run.folder.path / "steps")
    kept = sorted(file.name for file in run.folder.path.glob("steps/*.png"))
    assert kept == ["000004.png", "000006.png"]


def test_a_history_is_read_as_far_as_it_can_be(folder):
    text = (folder / "history.csv").read_text().splitlines()
    text[6] = text[6].replace(",", ",x", 1)
    (folder / "history.csv").write_text("\n".join(text))
    assert [row["iteration"] for row in RunFolder(folder).load_history(99)] == [1, 2, 3, 4, 5]
