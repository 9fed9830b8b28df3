"""Nothing painted is lost: replay, resume, forks, interrupts, kills, full disks, little memory."""

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from film_frames import metadata, probe
from PIL import Image
from quick_runs import finished, run_of

import vqclip_nb as vq
from vqclip_nb.accel.memory_saving import LEVELS, MemorySaving, is_out_of_memory
from vqclip_nb.storage import interrupts


def _run(quick, tiny, **changes) -> vq.Run:
    longer = {"prompt": "a red apple", "total_iter": 12, "show_step": 5}
    return run_of(quick, tiny, **(longer | changes))


def _same(first: vq.Run, second: vq.Run) -> bool:
    pictures = [np.asarray(run.images()[0]) for run in (first, second)]
    return np.array_equal(*pictures) and torch.equal(
        first.result().latents, second.result().latents
    )


def _frames(path: Path) -> np.ndarray:
    return probe(path)["frames"]


def _changed_twice(run: vq.Run) -> vq.Run:
    for it in run:
        if it.i == 3:
            run.update(prompt="a green apple", learning_rate=0.2)
        if it.i == 7:
            run.update(extras="neon", w2=0.5)
    return run


def test_a_picture_repaints_itself_with_its_live_changes_and_its_extension(quick, tiny):
    run = _changed_twice(_run(quick, tiny))
    run.extend(3)
    finished(run)
    plan = vq.Settings.from_png(run.folder.picture)
    assert plan == run.plan
    assert [update["iteration"] for update in plan.updates] == [4, 8, 13]
    again = finished(vq.Run(plan, models=tiny, out=quick["out"]))
    assert again.i == 15
    assert _same(run, again)


def test_a_change_after_the_last_state_is_made_again_when_the_run_resumes(quick, tiny, tmp_path):
    run, crashed = _run(quick, tiny), tmp_path / "crashed"
    for it in run:
        if it.i == 7:  # the state is of iteration 5
            run.update(prompt="a green apple")
        if it.i == 8:
            shutil.copytree(run.folder.path, crashed)
    resumed = vq.Run.resume(crashed, models=tiny)
    assert resumed.i == 5
    assert _same(finished(resumed), run)


def test_a_refused_change_changes_nothing(quick, tiny):
    run = _run(quick, tiny)
    next(iter(run))
    before = run.plan, run.settings
    for change in ({"prompt": ""}, {"prompt": "nowhere.png"}, {"cutn": 8}, {"speed": 3}):
        with pytest.raises(
            ValueError, match=r"prompt must|nowhere\.png|cutn cannot|'speed' is not"
        ):
            run.update(**change)
    assert (run.plan, run.settings) == before


@pytest.mark.parametrize(
    "updates",
    [
        [{"prompt": "a cat"}],
        [{"iteration": 3, "prompt": "a cat"}, {"iteration": 2, "prompt": "a dog"}],
        [{"iteration": 3, "seed": 4}],
        [{"iteration": 3, "w1": "much"}],
        ["faster"],
    ],
)
def test_a_log_that_cannot_be_replayed_is_refused(updates):
    with pytest.raises(ValueError, match=r"live change|cannot change while|w1 must be"):
        vq.Settings(updates=updates)


def test_the_film_of_an_interrupted_run_is_that_of_an_undisturbed_one(quick, tiny):
    whole = finished(_run(quick, tiny))
    run = _run(quick, tiny)
    for it in run:
        if it.i == 7:
            break
    assert len(_frames(run.folder.timelapse)) == 7
    resumed = finished(vq.Run.resume(run.folder.path, models=tiny))
    assert np.array_equal(_frames(resumed.folder.timelapse), _frames(whole.folder.timelapse))
    assert not list(run.folder.path.glob("frames/*.npz"))


def test_saving_in_between_changes_neither_picture_nor_film(quick, tiny):
    whole = finished(_run(quick, tiny))
    run = _run(quick, tiny)
    for it in run:
        if it.i == 7:
            run.save()
            copy = shutil.copytree(run.folder.path, quick["out"] / "copy")
    resumed = vq.Run.resume(copy, models=tiny)
    assert resumed.i == 7
    for each in (run, finished(resumed)):
        assert _same(each, whole)
        assert np.array_equal(_frames(each.folder.timelapse), _frames(whole.folder.timelapse))


def test_a_run_goes_on_without_the_pictures_that_it_began_with(quick, tiny, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((40, 40, 3), (200, 40, 40), np.uint8)).save(photo)
    changes = {"prompt": f"a cat | {photo}:0.5", "init_image": str(photo)}
    whole = finished(_run(quick, tiny, **changes))
    run = _run(quick, tiny, **changes)
    for it in run:
        if it.i == 6:
            break
    photo.unlink()
    assert _same(finished(vq.Run.resume(run.folder.path, models=tiny)), whole)
    # and it is painted again from the picture alone, which tells no local path
    assert str(tmp_path) not in Image.open(run.folder.picture).text["vqclip_nb"]
    plan = vq.Settings.from_png(run.folder.path / "steps" / "000005.png")
    assert _same(finished(vq.Run(plan, models=tiny, out=quick["out"])), whole)


def test_another_working_directory_changes_nothing(quick, tiny, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    run = _run(quick | {"out": "runs"}, tiny)
    for it in run:
        if it.i == 2:
            monkeypatch.chdir(tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(_frames(tmp_path / "runs" / run.folder.path.name / "timelapse.mp4")) == 12


def test_a_film_of_nine_hundred_live_changes_says_them_all(quick, tiny):
    log = [{"iteration": 1, "w2": number / 1000} for number in range(900)]
    run = finished(_run(quick, tiny, total_iter=2, updates=log))
    assert "0.899" in metadata(run.folder.timelapse)


def test_a_fork_begins_with_the_step_it_is_taken_from(quick, tiny):
    run = _changed_twice(_run(quick, tiny))
    fork = vq.Run.fork(run.folder.path, 10, models=tiny, out=quick["out"], w2=0.1)
    step = Image.open(run.folder.path / "steps" / "000010.png")
    assert np.array_equal(np.asarray(fork.images()[0]), np.asarray(step))
    assert (fork.settings.prompt, fork.settings.extras) == ("a green apple", "neon")
    assert fork.settings.w2 == 0.1
    assert fork.folder.path != run.folder.path
    with pytest.raises(ValueError, match="has no step 11: choose one of 5, 10, 12"):
        vq.Run.fork(run.folder.path, 11, models=tiny, out=quick["out"])


def test_a_film_says_what_made_it(quick, tiny):
    run = finished(_run(quick, tiny))
    text = metadata(run.folder.timelapse)
    (line,) = [line for line in text.splitlines() if line.startswith("comment=")]
    said = json.loads(line.removeprefix("comment=").replace("\\", ""))
    assert vq.Settings.from_dict(said["settings"]) == run.plan
    assert said["files"] == tiny.checksums


def test_a_picture_that_should_say_nothing_says_nothing(quick, tiny):
    run = finished(_run(quick, tiny, metadata=False))
    assert "vqclip_nb" not in Image.open(run.folder.picture).text
    assert b"red apple" not in run.folder.timelapse.read_bytes()
    with pytest.raises(ValueError, match="carries no settings"):
        vq.Settings.from_png(run.folder.picture)


def test_a_picture_that_was_edited_loads_with_a_warning(quick, tiny, tmp_path):
    run = finished(_run(quick, tiny))
    with Image.open(run.folder.picture) as image:
        from PIL.PngImagePlugin import PngInfo

        info, edited = PngInfo(), image.convert("RGB")
        info.add_itxt("vqclip_nb", image.text["vqclip_nb"])
    edited.putpixel((3, 3), (1, 2, 3))
    edited.save(tmp_path / "edited.png", pnginfo=info)
    with pytest.warns(UserWarning, match=r"edited\.png was changed after it was painted"):
        assert vq.Settings.from_png(tmp_path / "edited.png") == run.plan


@pytest.mark.parametrize(
    "said",
    [
        "no json",
        "[]",
        "{}",
        '{"settings": 3, "updates": [], "inputs": {}, "pixels": ""}',
        '{"settings": {}, "updates": 3, "inputs": {}, "pixels": ""}',
        '{"settings": {}, "updates": [], "inputs": 3, "pixels": ""}',
        '{"settings": {"speed": 3}, "updates": [], "inputs": {}, "pixels": ""}',
        '{"settings": {}, "updates": [{"w1": []}], "inputs": {}, "pixels": ""}',
    ],
)
def test_settings_that_no_picture_of_ours_has_get_a_sentence(said, tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("vqclip_nb", said)
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png", pnginfo=info)
    with pytest.raises(ValueError, match=r"^The settings in .*other\.png cannot be read: .*\.$"):
        vq.Settings.from_png(tmp_path / "other.png")


def test_what_is_no_picture_gets_a_sentence(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(
        ValueError, match=r"text\.png is not a picture that can be read: unknown format"
    ):
        vq.Settings.from_png(tmp_path / "text.png")
    with pytest.raises(ValueError, match=r"none\.png cannot be read as a picture: No such file"):
        vq.Settings.from_png(tmp_path / "none.png")


def test_a_picture_cannot_name_a_file_outside_of_the_run(quick, tiny, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    from PIL.PngImagePlugin import PngInfo

    said = {"settings": {"prompt": "x.png"}, "updates": [], "pixels": ""}
    said["inputs"] = {"x.png": "../secret.png"}
    info = PngInfo()
    info.add_itxt("vqclip_nb", json.dumps(said))
    (tmp_path / "inputs").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "theirs.png", pnginfo=info)
    with pytest.warns(UserWarning, match="was changed"):
        assert vq.Settings.from_png(tmp_path / "theirs.png").prompt == "x.png"


def test_an_interrupt_waits_until_the_step_is_whole():
    done = []

    def step():
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_ends_in_the_middle_of_a_run_says_nothing_and_keeps_it(tmp_path):
    program = (
        "import vqclip_nb as vq\n"
        "settings = vq.Settings(seed=1, im_shape=(64, 64), cutn=2, total_iter=9, device='cpu')\n"
        "painting = iter(vq.Run(settings, out='runs'))\n"
        "next(painting), next(painting)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert vq.Run.resume(folder).i == 2


def test_an_interrupt_at_any_moment_leaves_a_run_that_goes_on_exactly(quick, tiny, monkeypatch):
    whole = finished(_run(quick, tiny))
    run = _run(quick, tiny)
    real = run.loop.latent.move

    def interrupted(*moved, **limits):
        real(*moved, **limits)
        if run.i == 6:
            os.kill(os.getpid(), signal.SIGINT)  # z has moved, and nothing else yet

    monkeypatch.setattr(run.loop.latent, "move", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finished(run)
    assert len(_frames(run.folder.timelapse)) == 7
    resumed = vq.Run.resume(run.folder.path, models=tiny)
    assert resumed.i == 7
    assert _same(finished(resumed), whole)


def test_a_gradient_that_is_no_number_moves_nothing(quick, tiny, monkeypatch):
    run = _run(quick, tiny)
    real = run.loop.compute.encode

    def broken(perceptor, crops):
        if run.i == 6:
            crops.register_hook(lambda grad: grad * torch.nan)
        return real(perceptor, crops)

    monkeypatch.setattr(run.loop.compute, "encode", broken)
    with pytest.raises(FloatingPointError, match="The gradient became nan at iteration 7: lower"):
        finished(run)
    assert torch.isfinite(run.result().latents).all()
    assert vq.Run.resume(run.folder.path, models=tiny).i == 6


def _out_of_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")


@pytest.mark.parametrize("level", range(1, len(LEVELS)))
@pytest.mark.filterwarnings("ignore:64 × 64 pixels do not fit")
def test_with_less_memory_it_paints_the_same_more_slowly(level, quick, tiny):
    whole, spared = _run(quick, tiny, tile=True), _run(quick, tiny, tile=True)
    spared.loop.compute.level = level
    losses = [[next(iter(run)).loss for run in (whole, spared)]]
    close = 1e-6 if level < len(LEVELS) - 1 else 0.05  # bfloat16 has three digits
    assert losses[0][0] == pytest.approx(losses[0][1], abs=close)
    first, second = whole.loop.latent.z, spared.loop.latent.z
    agree = ((first - second).abs() < 1e-3).float().mean()
    assert agree > (0.999 if level < len(LEVELS) - 1 else 0.6)


def test_it_steps_down_until_an_iteration_fits(quick, tiny, monkeypatch):
    run = _run(quick, tiny, cutn=8, total_iter=3)
    perceptor, real = tiny.perceptors[0], tiny.perceptors[0].encode_image
    monkeypatch.setattr(
        perceptor, "encode_image", lambda x: real(x) if len(x) == 1 else _out_of_memory()
    )
    with pytest.warns(UserWarning, match=r"do not fit into the memory of cpu: .* one by one"):
        finished(run)
    assert LEVELS[run.executor.memory.level] == "crops one by one"
    assert run.i == 3


@pytest.mark.filterwarnings("ignore:64 × 64 pixels do not fit")
def test_what_never_fits_says_which_size_would_and_keeps_what_was_painted(quick, tiny, monkeypatch):
    run = _run(quick, tiny)
    real = tiny.vqgan.decode
    for it in run:
        if it.i == 6:
            break

    def small_only(z, **options):
        return real(z, **options) if z.shape[-1] <= 4 else _out_of_memory()

    resumed = vq.Run.resume(run.folder.path, models=tiny)
    monkeypatch.setattr(tiny.vqgan, "decode", small_only)
    sentence = "64 × 64 pixels do not fit into the memory of cpu: choose 32 × 32, which would fit"
    with pytest.raises(MemoryError, match=sentence):
        finished(resumed)
    monkeypatch.undo()
    assert vq.Run.resume(run.folder.path, models=tiny).i == 6


ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, 0)  # 0: the disk is full
TORTURE = {"prompt": "a red apple", "total_iter": 14, "show_step": 3, "im_shape": (64, 64)}
TORTURE |= {"cutn": 4, "seed": 5, "device": "cpu"}


class _Events:
    """Counts what a process does to the files in a folder; sends it a signal at event `fatal`."""

    KINDS = ("open", "os.mkdir", "os.remove", "os.rename", "subprocess.Popen")

    def __init__(self, folder: Path, fatal: int | None = None, number: int = 0) -> None:
        self.folder, self.fatal, self.number, self.seen = str(folder), fatal, number, 0
        sys.addaudithook(self)  # for good: hooks cannot be removed

    def __call__(self, kind: str, arguments: tuple) -> None:
        if kind in self.KINDS and self.folder in str(arguments):
            self.seen += 1
            if self.seen == self.fatal:
                os.kill(os.getpid(), self.number)


def _painted(models: vq.Models, out: Path) -> vq.Run:
    """The run that is killed, whole."""
    run = vq.Run(vq.Settings(**TORTURE), models=models, out=out)
    for it in run:
        if it.i == 4:
            run.update(prompt="a green apple")
            Path(out, ".changed").mkdir()
    return run


def _victim(out: Path, threads: int, fatal: int | None, number: int, largest: int | None) -> None:
    """Paint in a process of its own, which gets the signal `number` at file event `fatal`.

    No file grows beyond `largest` bytes.
    """
    torch.set_num_threads(threads)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    models = vq.load_models("tiny", device="cpu")
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    _Events(out, fatal, number)
    _painted(models, out)


@pytest.fixture(scope="module")
def torture(tiny, tmp_path_factory):
    """End a run by a signal at a random file event, or fill its disk; resume it and compare."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vqclip_nb.run", "pytest", "imageio_ffmpeg"])
    whole = tmp_path_factory.mktemp("whole")
    events = _Events(whole)
    run, events_of_a_run = _painted(tiny, whole), events.seen

    def once(out: Path, seed: int) -> str:
        """What became of it; asserts that nothing was lost."""
        rng, number = random.Random(seed), ENDS[seed % len(ENDS)]
        full_disk = number == 0
        largest = rng.randrange(500, 60_000) if full_disk else None
        fatal = None if full_disk else rng.randint(1, events_of_a_run)
        threads = torch.get_num_threads()
        process = context.Process(target=_victim, args=(out, threads, fatal, number, largest))
        process.start()
        process.join()
        assert full_disk or process.exitcode in (-number, 128 + number)
        folders = [path for path in out.iterdir() if not path.name.startswith(".")]
        if not folders:
            return "nothing painted yet"
        resumed = vq.Run.resume(folders[0], models=tiny)
        at = resumed.i
        if not resumed.plan.updates:
            assert not (out / ".changed").exists()
            resumed.plan = run.plan
        assert _same(finished(resumed), run)
        assert np.array_equal(_frames(resumed.folder.timelapse), _frames(run.folder.timelapse))
        return f"resumed at {at}"

    return once


@pytest.mark.parametrize("number", range(10))
def test_a_run_that_is_ended_loses_nothing(number, torture, tmp_path):
    assert torture(tmp_path, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10, 100))
def test_ninety_more_runs_that_are_ended_lose_nothing(number, torture, tmp_path):
    assert torture(tmp_path, number)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 9.00 GiB.",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "GET was unable to find an engine to execute this computation",
        "[enforce fail at alloc_cpu.cpp] data. DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_each_library_s_words_for_no_memory_are_known(said):
    assert is_out_of_memory(RuntimeError(said))
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access"))


@pytest.mark.parametrize(
    ("native", "dtype", "last"),
    [(True, torch.float32, 4), (True, torch.bfloat16, 3), (False, torch.float32, 3)],
)
def test_bfloat16_spares_memory_only_where_it_is_native_and_new(native, dtype, last, monkeypatch):
    """cuDNN has bfloat16 convolutions from compute capability 8 on; a T4 has 7.5."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    memory = MemorySaving(torch.device("cuda"), dtype)
    while memory.save_more():
        pass
    assert memory.level == memory.last == last
