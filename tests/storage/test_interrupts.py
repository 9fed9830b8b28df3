"""SIGINT, SIGTERM and SIGHUP: painting ends in order, and at once when asked twice."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from quick_runs import finished, run_of

import vqclip_nb as vq
from vqclip_nb.storage import interrupts
from vqclip_nb.storage.ffmpeg import frame_count

PAINT = """
import os, signal, sys, vqclip_nb as vq
settings = vq.Settings(seed=1, im_shape=(64, 64), cutn=2, total_iter=9, device="cpu")
if sys.argv[2] == "ignored":
    signal.signal(int(sys.argv[1]), signal.SIG_IGN)
for it in vq.Run(settings, out="runs"):
    if it.i == 3:
        os.kill(os.getpid(), int(sys.argv[1]))
"""


def _painted(number: int, folder: Path, how: str = "") -> tuple[int, Path]:
    done = subprocess.run([sys.executable, "-c", PAINT, str(number), how], cwd=folder)
    (run,) = (folder / "runs").iterdir()
    return done.returncode, run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_keeps_everything_as_ctrl_c_does(number, tmp_path, tiny):
    status, folder = _painted(number, tmp_path)
    assert status == 128 + number
    assert frame_count(folder / "timelapse.mp4") == 3
    assert vq.Run.resume(folder, models=tiny).i == 3


def test_under_nohup_painting_goes_on(tmp_path):
    status, folder = _painted(signal.SIGHUP, tmp_path, "ignored")
    assert status == 0
    assert frame_count(folder / "timelapse.mp4") == 9


def test_a_program_s_own_handlers_are_called_and_put_back(quick, tiny):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("mine"))
    try:
        for it in run_of(quick, tiny):
            if it.i == 2:
                os.kill(os.getpid(), signal.SIGTERM)
        assert seen == ["mine"]
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_other_threads_signals_stay_as_they_are(quick, tiny):
    seen = []
    run = run_of(quick, tiny)

    def paint():
        for _ in run:
            seen.append(signal.getsignal(signal.SIGTERM))

    painter = threading.Thread(target=paint)
    painter.start()
    painter.join()
    assert seen == [signal.SIG_DFL] * 6


def _interrupted_block(gap: float, **options: bool) -> list[str]:
    """What a block still does that is interrupted twice, `gap` seconds apart."""
    done = []
    with contextlib.suppress(KeyboardInterrupt), interrupts.held(**options):
        os.kill(os.getpid(), signal.SIGINT)
        done.append("one")
        time.sleep(gap)
        os.kill(os.getpid(), signal.SIGINT)
        done.append("two")
    return done


def test_a_second_interrupt_ends_at_once_and_a_repeated_one_is_the_first(monkeypatch):
    monkeypatch.setattr(interrupts, "_SAME", 0.05)
    assert _interrupted_block(0.1) == ["one"]
    assert _interrupted_block(0.0) == ["one", "two"]


def test_while_saving_after_an_interrupt_the_next_one_is_the_second(monkeypatch):
    monkeypatch.setattr(interrupts, "_SAME", 0.05)
    with interrupts.orderly():
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        assert _interrupted_block(0.0, saving=True) == []
    assert _interrupted_block(0.0, saving=True) == ["one", "two"]


def test_an_iteration_that_a_second_interrupt_splits_is_not_saved(quick, tiny, monkeypatch):
    monkeypatch.setattr(interrupts, "_SAME", 0.0)
    whole = finished(run_of(quick, tiny))
    run = run_of(quick, tiny)
    move = run.loop.latent.move

    def interrupted(*moved, **limits):
        move(*moved, **limits)
        if run.i == 4:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)

    monkeypatch.setattr(run.loop.latent, "move", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finished(run)
    with pytest.raises(ValueError, match="second interrupt split iteration 5: continue"):
        run.save()
    resumed = vq.Run.resume(run.folder.path, models=tiny)
    assert resumed.i == 3  # the last step that was shown
    assert (finished(resumed).result().latents == whole.result().latents).all()


def _open() -> dict[str, int]:
    """The files, threads and child processes of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "children": len(children),
    }


def _paint_often(quick, tiny, runs: int, interrupts: int) -> None:
    for number in range(runs):
        painting = iter(run_of(quick, tiny, total_iter=2, show_step=2, cutn=1))
        next(painting)
        if number < interrupts:
            with pytest.raises(KeyboardInterrupt):
                painting.throw(KeyboardInterrupt)
        else:
            assert len(list(painting)) == 1


@pytest.mark.parametrize(
    ("runs", "interrupts"), [(6, 3), pytest.param(200, 50, marks=pytest.mark.slow)]
)
def test_runs_and_interrupts_leave_no_file_thread_or_process(runs, interrupts, quick, tiny):
    _paint_often(quick, tiny, 2, 1)
    before = _open()
    _paint_often(quick, tiny, runs, interrupts)
    assert _open() == before
