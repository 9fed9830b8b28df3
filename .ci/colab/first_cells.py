"""Test the notebooks' first cell with every way to provide the project on Colab.

Each case starts with an empty /content and without the package, and must end in a working import or
in one sentence that says what to do. Prints a table; exits with 1 if a case fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTENT = Path("/content")
STUB = ROOT / ".ci" / "colab" / "stub"
CELL = (ROOT / ".ci" / "first_cell.py").read_text(encoding="utf-8")
PROGRAM = f"{CELL}\nprint('imported', vq.__version__, 'from', vq.__file__)\n"
OLD = "0.0.9"
IPYTHON = [
    sys.executable,
    "-m",
    "IPython",
    "--no-banner",
    "--no-term-title",
    "--colors=NoColor",
    "-c",
]


@dataclass(frozen=True)
class Case:
    """A way to provide the project.

    expected: a pattern that the cell's output must match
    files: what is in /content: a source, its name there, and its age in minutes
    folder: where the notebook's kernel starts
    drive: the folder that is mounted as Drive; "": permission is refused; "silent": no answer
    page: True for Colab's own page, False for VS Code
    installed: whether an older version is installed
    """

    name: str
    expected: str
    files: tuple[tuple[Path, str, int], ...] = ()
    folder: Path = CONTENT
    drive: str = ""
    page: bool = True
    installed: bool = False


class Bag:
    """The project as clones and zips of all kinds, made in a folder outside /content."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "clone"
        self.old = folder / "old"
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True)
        for name in filter(None, done.stdout.split("\0")):
            if (ROOT / name).is_file():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.clone / name)
        shutil.copytree(self.clone, self.old)
        init = _init(self.old)
        text = init.read_text(encoding="utf-8")
        init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{OLD}"', text))
        self.zip = self._zipped(self.clone, folder / "new.zip", "vqclip_nb-main/")
        self.old_zip = self._zipped(self.old, folder / "old.zip", "vqclip_nb-main/")
        self.bare_zip = self._zipped(self.clone, folder / "bare.zip", "")
        self.mac_zip = folder / "mac.zip"
        shutil.copy(self.zip, self.mac_zip)
        with zipfile.ZipFile(self.mac_zip, "a") as packed:
            packed.writestr("__MACOSX/vqclip_nb-main/._pyproject.toml", b"\0\5\26\7")
        self.half_zip = folder / "half.zip"
        self.half_zip.write_bytes(self.zip.read_bytes()[:1_000_000])
        self.drive = folder / "drive"
        self.drive.mkdir()
        shutil.copy(self.zip, self.drive / "vqclip_nb.zip")
        self.empty_drive = folder / "empty drive"
        self.empty_drive.mkdir()

    def _zipped(self, project: Path, to: Path, prefix: str) -> Path:
        with zipfile.ZipFile(to, "w") as packed:
            for file in sorted(f for f in project.rglob("*") if f.is_file()):
                packed.write(file, prefix + file.relative_to(project).as_posix())
        return to

    def put(self, what: Path, name: str, minutes_ago: float = 0) -> None:
        """Copy a zip or a folder to /content, with a modification time some minutes ago."""
        place = CONTENT / name
        if what.is_dir():
            shutil.copytree(what, place)
        else:
            shutil.copy(what, place)
        when = time.time() - 60 * minutes_ago
        for file in (place, *place.rglob("*")):
            os.utime(file, (when, when))


def cases(bag: Bag) -> list[Case]:
    """All cases."""
    version = re.search(r'__version__ = "(.*)"', _init().read_text(encoding="utf-8")).group(1)
    new, old = rf"imported {re.escape(version)} from", rf"imported {re.escape(OLD)} from"
    clone = ((bag.clone, "vqclip_nb", 0),)
    both = ((bag.old_zip, "vqclip_nb-main.zip", 30), (bag.zip, "vqclip_nb-main (1).zip", 1))
    refused = "(?s)Colab will ask for access to your Google Drive.*not opened.*was not found: upload a zip"
    silent = "(?s)did not answer within 10 s.*was not found: upload a zip"
    return [
        Case("%cd into a clone", new, clone, CONTENT / "vqclip_nb"),
        Case("a clone beside the notebook", new, clone),
        Case("the notebook of a clone", new, clone, CONTENT / "vqclip_nb" / "notebooks"),
        Case("unzipped", new, ((bag.clone, "vqclip_nb-main", 0),)),
        Case("GitHub's zip", new, ((bag.zip, "vqclip_nb-main.zip", 0),)),
        Case("a zip of the files alone", new, ((bag.bare_zip, "vqclip_nb.zip", 0),)),
        Case("a zip from macOS", new, ((bag.mac_zip, "vqclip_nb-main.zip", 0),)),
        Case("two zips, the newer one called (1)", new, both),
        Case("a newer zip over an older version", new, ((bag.zip, "vqclip_nb.zip", -5),),
             installed=True),
        Case("an older zip beside an installed version", old, ((bag.zip, "vqclip_nb.zip", 60),),
             installed=True),
        Case("half a zip", "✗ .* is not a complete zip: wait", ((bag.half_zip, "vqclip_nb.zip", 0),)),
        Case("a zip in Drive", new, drive=str(bag.drive)),
        Case("nothing, not even in Drive", "✗ vqclip_nb was not found: upload a zip",
             drive=str(bag.empty_drive)),
        Case("Drive refused", refused),
        Case("VS Code, whose page does not answer", silent, drive="silent", page=False),
    ]  # fmt: skip


def _init(project: Path = ROOT) -> Path:
    return project / "vqclip_nb" / "__init__.py"


def run(case: Case, bag: Bag) -> tuple[bool, str, float]:
    """Run a case: whether it passed, the last line that it printed, and the cell's seconds."""
    for place in CONTENT.iterdir():
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "uninstall", "--yes", "vqclip-nb"], check=True, capture_output=True)
    if case.installed:
        subprocess.run([*pip, "install", str(bag.old)], check=True, capture_output=True)
    for what, name, minutes in case.files:
        bag.put(what, name, minutes)
    env = os.environ | {"COLAB_RELEASE_TAG": "stand-in", "PYTHONPATH": str(STUB)}
    env |= {"COLAB_DRIVE": case.drive} | ({"COLAB_NOTEBOOK_ID": "1"} if case.page else {})
    began = time.perf_counter()
    done = subprocess.run(
        [*IPYTHON, PROGRAM], cwd=case.folder, env=env, capture_output=True, text=True
    )
    seconds, said = time.perf_counter() - began, done.stdout + done.stderr
    good = re.search(case.expected, said) and "Traceback" not in said
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return bool(good), lines[-1] if good else said, seconds


def main() -> int:
    """Run every case, then leave a zip for the notebooks in /content."""
    folder = Path(sys.argv[1])
    bag, failed = Bag(folder), 0
    for case in cases(bag):
        good, said, seconds = run(case, bag)
        failed += not good
        print(f"| {case.name} | {'passed' if good else 'FAILED'}: {said} | {seconds:.0f} s |")
        sys.stdout.flush()
    bag.put(bag.zip, "vqclip_nb-main.zip")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
