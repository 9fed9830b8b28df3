"""Google Drive, faked: mounted once, announced in a sentence, and given up if it does not answer."""

import contextlib
import signal
import sys
import time
import types

import pytest

import vqclip_nb as vq
from vqclip_nb.storage import colab


@pytest.fixture
def drive(monkeypatch, tmp_path):
    """`google.colab.drive`, whose `mount` a test may replace; asked: where it was mounted."""
    module = types.ModuleType("google.colab.drive")
    module.asked = []

    def mount(where: str) -> None:
        module.asked.append(where)
        (tmp_path / "MyDrive").mkdir()

    module.mount = mount
    package = types.ModuleType("google.colab")
    package.drive = module
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setattr(colab, "_DRIVE", tmp_path)
    monkeypatch.setattr(colab, "_PATIENCE", 0.2)
    monkeypatch.delenv("COLAB_NOTEBOOK_ID", raising=False)
    return module


def test_a_folder_of_google_drive_is_connected_once(drive, tmp_path, capsys):
    assert vq.drive_folder("pictures") == tmp_path / "MyDrive" / "pictures"
    assert vq.drive_folder("models").is_dir()
    assert drive.asked == [str(tmp_path)]
    assert capsys.readouterr().out.count("Colab will ask for access to your Google Drive") == 1


def test_elsewhere_google_drive_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="can be connected on Colab only"):
        vq.drive_folder()


def test_a_person_may_refuse(drive):
    def refused(where: str) -> None:
        raise ValueError("mount failed")

    drive.mount = refused
    with pytest.raises(ValueError, match=r"was not opened \(mount failed\): allow it"):
        vq.drive_folder()


def _silent(where: str) -> None:
    """Waits as Colab's own reader of answers does, which passes over every error."""
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.025)


def test_a_page_that_never_answers_is_given_up(drive):
    drive.mount, before = _silent, signal.getsignal(signal.SIGALRM)
    with pytest.raises(ValueError, match="did not answer within 0 s: open the notebook in Colab"):
        vq.drive_folder()
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_colab_s_own_page_a_person_may_take_their_time(drive, monkeypatch, tmp_path):
    def slow(where: str) -> None:
        time.sleep(0.5)
        (tmp_path / "MyDrive").mkdir()

    monkeypatch.setenv("COLAB_NOTEBOOK_ID", "1")
    drive.mount = slow
    assert vq.drive_folder().is_dir()
