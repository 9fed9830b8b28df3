"""A run's folder: every file is there, loads, and survives a failing disk."""

import csv
import json
import resource
import subprocess
import sys
import textwrap

import pytest
from PIL import Image
from safetensors.torch import load_file

import vqclip_nb as vq


@pytest.fixture(scope="module")
def painted(tiny, tmp_path_factory) -> vq.Result:
    settings = vq.Settings(
        prompt="ein Häuschen / ../../x", seed=0, im_shape=(64, 64), cutn=4, device="cpu"
    )
    settings = settings.replace(total_iter=7, show_step=3, batch_size=2)
    with pytest.warns(UserWarning, match="never saw"):
        return vq.generate(settings, models=tiny, out=tmp_path_factory.mktemp("runs"))


def test_the_folder_holds_what_the_contract_names(painted):
    names = {p.relative_to(painted.folder).as_posix() for p in painted.folder.rglob("*")}
    expected = {"picture.png", "picture_1.png", "timelapse.mp4", "settings.json", "history.csv"}
    expected |= {"state.safetensors"} | {f"steps/{i:06d}.png" for i in (3, 6, 7)}
    expected |= {f"steps/{i:06d}.safetensors" for i in (3, 6, 7)}
    assert expected <= names
    assert not [name for name in names if ".part" in name]


def test_the_folders_name_stays_inside_out(painted):
    assert ".." not in painted.folder.name
    assert "/" not in painted.folder.name


def test_a_picture_reloads_to_the_settings_that_made_it(painted):
    from_picture = vq.Settings.from_png(painted.folder / "picture.png")
    assert from_picture.prompt == "ein Häuschen / ../../x"
    assert from_picture == vq.Settings.from_png(painted.folder / "steps" / "000003.png")


def test_a_picture_carries_its_provenance_and_no_local_path(painted):
    text = Image.open(painted.folder / "picture.png").text["vqclip_nb"]
    record = json.loads(text)
    assert record["iteration"] == 7
    assert record["versions"]["torch"]
    own = {"vqgan.safetensors", "clip.safetensors", "draft.safetensors", "draft.json"}
    assert set(record["files"]) == own
    assert str(painted.folder.parent) not in text


def test_a_picture_of_another_program_is_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png")
    with pytest.raises(ValueError, match=r"other\.png carries no settings"):
        vq.Settings.from_png(tmp_path / "other.png")


def test_a_steps_latent_is_the_latent_of_its_picture(painted, tiny):
    z = load_file(painted.folder / "steps" / "000007.safetensors")["z"]
    assert (z == painted.latents).all()


def test_the_history_file_is_the_history(painted):
    with open(painted.folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in painted.history]


def test_two_runs_of_one_second_get_folders_of_their_own(tiny, quick):
    quick |= {"total_iter": 1}
    folders = [vq.generate("a cat", models=tiny, **quick).folder for _ in range(3)]
    assert len(set(folders)) == 3


def test_a_disk_that_fills_while_painting_keeps_what_was_painted(tmp_path, tiny):
    # no file may grow beyond 1 KiB from iteration 5 on, as on a disk that is full
    program = textwrap.dedent(
        """
        import resource, signal, sys
        import vqclip_nb as vq
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        settings = vq.Settings(prompt="a cat", seed=1, im_shape=(64, 64), cutn=4, total_iter=9,
                               show_step=4, device="cpu")
        run = vq.Run(settings, out="runs")
        try:
            for it in run:
                if it.i == 5:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        except OSError as error:
            print(error)
            sys.exit(2)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "could not be written" in done.stdout
    assert "what was painted before is kept" in done.stdout
    (run_folder,) = (tmp_path / "runs").iterdir()
    Image.open(run_folder / "picture.png").load()
    run = vq.Run.resume(run_folder, models=tiny)
    assert run.i == 4
    assert [it.i for it in run] == [5, 6, 7, 8, 9]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize("name", ["../x", "a/b", "/tmp/x", "..", ".x"])
def test_a_name_leads_nowhere_else(name, quick, tiny):
    out = quick.pop("out")
    with pytest.raises(ValueError, match=r"name is .*allowed is a folder's name"):
        vq.Run(vq.Settings(**quick), models=tiny, out=out, name=name)
    assert not out.exists()


def test_a_run_has_the_name_that_it_was_given(quick, tiny):
    out = quick.pop("out")
    made = [vq.Run(vq.Settings(**quick), models=tiny, out=out, name="mine") for _ in range(2)]
    assert [run.folder.path.name for run in made] == ["mine", "mine-2"]
