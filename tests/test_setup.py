"""`setup.sh` after an interrupt, a full disk, a rename, with another Python; no network is asked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = Path(sys.executable).resolve()


@pytest.fixture
def project(tmp_path) -> Path:
    """A project in a folder with a space; `bin`, beside it, is searched for programs first."""
    made = tmp_path / "a project"
    made.mkdir()
    shutil.copy(ROOT / "setup.sh", made)
    (made / "requirements.txt").touch()
    (made / "pyproject.toml").touch()
    (tmp_path / "bin").mkdir()
    return made


def _setup(project: Path, *words: str) -> subprocess.CompletedProcess:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "VQCLIP_", "COLAB_"))}
    kept |= {"PATH": f"{project.parent / 'bin'}:/usr/bin:/bin", "PIP_NO_INDEX": "1"}
    command = ["bash", str(project / "setup.sh"), *words]
    return subprocess.run(command, env=kept, capture_output=True, text=True)


def _only(project: Path, version: str) -> None:
    """Let each Python that setup.sh looks for be of this version."""
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        python = project.parent / "bin" / name
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)


@pytest.mark.parametrize("version", ["3.9", "3.15"])
def test_a_python_that_is_too_old_or_too_new_is_named(version, project):
    _only(project, version)
    done = _setup(project)
    wanted = f"Python 3.13 or 3.12 or 3.11 is needed and only Python {version} was found"
    assert (done.returncode, done.stderr) == (2, f"setup.sh: {wanted}: install it.\n")


def test_an_environment_that_was_interrupted_is_finished(project):
    venv = project / ".venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", venv], check=True)  # its first second
    done = _setup(project)
    has_pip = subprocess.run([venv / "bin" / "python", "-m", "pip", "--version"])
    assert has_pip.returncode == 0, done.stderr


def _finished(project: Path, folder: str) -> None:
    """As `setup.sh` leaves it, set up in `folder`."""
    (project / ".venv" / "bin").mkdir(parents=True)
    python = project / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 9\n")  # nothing may be called
    python.chmod(0o755)
    files = (project / "requirements.txt").read_bytes() + (project / "pyproject.toml").read_bytes()
    summed = subprocess.run("cksum", input=files, capture_output=True).stdout.decode().strip()
    (project / ".venv" / "vqclip_nb.stamp").write_text(f"in {folder}\n{summed} \n")


def test_a_finished_environment_needs_no_network_and_no_pip(project):
    _finished(project, str(project))
    done = _setup(project)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_that_was_renamed_says_so(project):
    _finished(project, "/home/me/the old name")
    done = _setup(project)
    assert done.returncode == 2
    assert done.stderr == (
        "setup.sh: this folder was /home/me/the old name when it was set up: move it back, or "
        "delete .venv here.\n"
    )
