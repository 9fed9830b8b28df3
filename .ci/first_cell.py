# @title 1 · Install { display-mode: "form" }
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile

ADDRESS = ""
_COLAB = "google.colab" in sys.modules and "KAGGLE_KERNEL_RUN_TYPE" not in os.environ
_DRIVE = pathlib.Path("/content/drive/MyDrive")


class _NotReadyError(Exception):
    """What is missing and what to do, shown without a traceback."""

    def _render_traceback_(self):
        return [f"✗ {self}"]


class _NoAnswerError(BaseException):
    """Drive did not answer. Not an Exception, because Colab's message loop swallows those."""


def _is_project(folder):
    files = folder / "pyproject.toml", folder / "vqclip_nb" / "__init__.py"
    return all(file.is_file() for file in files)


def _changed(source):
    """When a zip was uploaded, or a folder's newest file was written."""
    files = [source] if source.is_file() else (source / "vqclip_nb").rglob("*.py")
    return max(file.stat().st_mtime for file in files)


def _find_source():
    """The clone around this notebook; or the newest folder or zip of the project near it."""
    here = pathlib.Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            return folder
    places = here, pathlib.Path("/content"), pathlib.Path("/kaggle/input")
    near = [f for place in places for name in ("", "*/") for f in place.glob(f"{name}vqclip_nb*")]
    near += _DRIVE.glob("vqclip_nb*")
    found = [f for f in near if _is_project(f) or (f.suffix == ".zip" and f.is_file())]
    return max(found, key=_changed, default=None)


def _installed_at():
    """When the package was installed: 0 if it was not, infinity for an editable install."""
    for known in importlib.metadata.distributions(name="vqclip-nb"):
        if known.read_text("RECORD"):  # from pip; metadata that a build leaves in a clone has none
            origin = json.loads(known.read_text("direct_url.json") or "{}")
            in_place = origin.get("dir_info", {}).get("editable")
            file = pathlib.Path(known.locate_file("vqclip_nb/__init__.py"))
            return math.inf if in_place else file.stat().st_mtime
    return 0


def _look_in_drive():
    """Ask for access to Google Drive, and look for the project there."""
    from google.colab import drive

    def wake(*_):
        raise _NoAnswerError("it did not answer within 10 s")

    print("vqclip_nb was not found. Colab will ask for access to your Google Drive to look there.")
    before = signal.signal(signal.SIGALRM, wake)
    if "COLAB_NOTEBOOK_ID" not in os.environ:  # another page, e.g. VS Code's, may never answer
        signal.setitimer(signal.ITIMER_REAL, 10, 0.5)
    try:
        drive.mount("/content/drive")
    except (Exception, _NoAnswerError) as error:
        print(f"Google Drive was not opened: {error}.")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return _find_source()


def _copied(source):
    """A copy of the project to install from, because a build writes into its source folder."""
    copy = tempfile.mkdtemp()
    if source.is_dir():
        ignored = shutil.ignore_patterns(".*", "runs", "sweep", "build")
        return pathlib.Path(shutil.copytree(source, copy, ignore=ignored, dirs_exist_ok=True))
    try:
        with zipfile.ZipFile(source) as packed:
            packed.extractall(copy)
            names = set(packed.namelist())
    except (zipfile.BadZipFile, EOFError) as error:
        raise _NotReadyError(
            f"{source} is not a complete zip: wait until its upload is done, or upload it again, "
            "then run this cell again."
        ) from error
    roots = [n[: -len("pyproject.toml")] for n in names if n.endswith("pyproject.toml")]
    roots = [root for root in roots if root + "vqclip_nb/__init__.py" in names]
    if not roots:
        raise _NotReadyError(
            f"{source} is not a zip of this project: remove it, then run this cell again."
        )
    return pathlib.Path(copy, min(roots, key=len))


def _install(*wanted):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if subprocess.run([*pip, *map(str, wanted)]).returncode:
        raise _NotReadyError(
            "pip could not install the project: see its message above, check that this machine is "
            "online, then run this cell again."
        )
    for name in [name for name in sys.modules if name.split(".")[0] == "vqclip_nb"]:
        del sys.modules[name]  # from an older version, or a folder of this name
    importlib.invalidate_caches()


def _prepare():
    """Install the package if it is missing, or older than the project that was found."""
    source, installed = _find_source(), _installed_at()
    if not (source or installed or ADDRESS) and _COLAB and not _DRIVE.is_dir():
        source = _look_in_drive()
    if not (source or installed or ADDRESS):
        raise _NotReadyError(
            "vqclip_nb was not found: upload a zip of the project, vqclip_nb.zip, next to this "
            "notebook or to your Google Drive, or clone the project, then run this cell again."
        )
    wanted = []
    if source and _changed(source) > installed:
        wanted.append(_copied(source))
    elif not installed:
        wanted.append(f"{ADDRESS}/archive/refs/heads/main.zip")
    if _COLAB and importlib.util.find_spec("jupyter_ui_poll") is None:
        wanted.append("jupyter-ui-poll")  # lets buttons work while a cell runs
    if wanted:
        _install(*wanted)


_prepare()
import vqclip_nb as vq

print(vq.describe_machine())
