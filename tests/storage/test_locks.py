"""One process at a time paints in a folder; a crash lets the next one in."""

import signal
import subprocess
import sys

import pytest
from quick_runs import finished, run_of, stopped

import vqclip_nb as vq
from vqclip_nb.storage import locks
from vqclip_nb.storage.locks import FolderLock

HOLD = (
    "import sys, time; from pathlib import Path; from vqclip_nb.storage.locks import FolderLock\n"
    "lock = FolderLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True)\n"
    "time.sleep(600)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        yield other
        other.kill()


def test_a_second_process_is_refused_until_the_first_crashes(holder, tmp_path):
    with pytest.raises(ValueError, match=f"Another process paints in {tmp_path}: wait until"):
        FolderLock(tmp_path).acquire()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_process_shares_its_locks_and_releases_them_with_the_last(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path / "." / "")
    first.acquire()
    second.acquire()
    second.acquire()
    first.release()
    program = HOLD.replace("time.sleep(600)", "")
    other = [sys.executable, "-c", program, tmp_path]
    assert b"Another process" in subprocess.run(other, capture_output=True).stderr
    del second
    assert subprocess.run(other, capture_output=True).stdout == b"held\n"


def test_where_there_are_no_locks_painting_goes_on(tmp_path, monkeypatch):
    class Unsupported(locks.FileLock):
        def acquire(self, *_, **__):
            raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(locks, "FileLock", Unsupported)
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.release()


RESUME = "import sys, vqclip_nb as vq; list(vq.Run.resume(sys.argv[1]))"


def test_a_run_is_painted_by_one_process_and_continued_by_another(quick, tiny):
    run = run_of(quick, tiny)
    command = [sys.executable, "-c", RESUME, run.folder.path]
    for it in run:
        if it.i == 2:
            refused = subprocess.run(command, capture_output=True, text=True)
            break
    assert f"Another process paints in {run.folder.path}" in refused.stderr
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0
    with pytest.raises(ValueError, match="has been painted further elsewhere"):
        finished(run)
    assert vq.Run.resume(run.folder.path, models=tiny).i == 6


def test_a_run_that_stopped_here_can_be_resumed_here(quick, tiny):
    run = stopped(run_of(quick, tiny), 2)
    assert finished(vq.Run.resume(run.folder.path, models=tiny)).i == 6


SWEEP = (
    "import sys, vqclip_nb as vq\n"
    "vq.sweep({'seed': [1]}, vq.Settings(total_iter=1, im_shape=(64, 64)), out=sys.argv[1])"
)


def test_a_second_sweep_of_a_folder_is_refused_and_changes_nothing(holder, tmp_path):
    (tmp_path / "sweep.json").write_text('{"seed": 77}')
    done = subprocess.run([sys.executable, "-c", SWEEP, tmp_path], capture_output=True, text=True)
    assert f"Another process paints in {tmp_path}" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "sweep.json"]
    assert (tmp_path / "sweep.json").read_text() == '{"seed": 77}'
