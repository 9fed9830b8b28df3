"""The teacher's kit: collected once, set up on laptops that have no network."""

import ast
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
UNUSED = ("runs", ".venv", ".git", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis")
NOWHERE = "http://127.0.0.1:9"  # no one answers there: who asks an index is found out


def _copy(project: Path) -> Path:
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*UNUSED))
    return project


def _setup(project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess:
    """`bash setup.sh WORDS`, called from beside the project, with a pip that knows no index."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "VQCLIP_", "COLAB_"))}
    return subprocess.run(
        ["bash", str(project / "setup.sh"), *words],
        cwd=project.parent,
        env=kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": NOWHERE} | variables,
        capture_output=True,
        text=True,
    )


def _wheel(name: str, folder: Path) -> Path:
    """A wheel of an installed distribution, as it was before it was installed."""
    installed = distribution(name)
    files = [f for f in installed.files if ".." not in f.parts and "__pycache__" not in f.parts]
    about = next(file.parent for file in files if file.name == "WHEEL")
    tag = re.search(r"^Tag: (\S+)", installed.read_text("WHEEL"), re.MULTILINE)[1]
    wheel = folder / f"{about.name.removesuffix('.dist-info')}-{tag}.whl"
    folder.mkdir(exist_ok=True)
    record = ""
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in files:
            if file.parent == about and file.name in ("RECORD", "INSTALLER", "REQUESTED"):
                continue
            data = file.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            record += f"{file},sha256={digest},{len(data)}\n"
            archive.writestr(str(file), data)
        archive.writestr(f"{about}/RECORD", record)
    return wheel


@pytest.fixture
def bare(tmp_path) -> Path:
    """A project that can only refuse: its environment's Python is there, and nothing in it."""
    project = tmp_path / "vqclip_nb"
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    shutil.copy(ROOT / "setup.sh", project)
    return project


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("", "kit needs a folder to collect in"),
        ("vqclip_nb/kit", "vqclip_nb/kit is inside the project: give a folder outside it."),
        ("full", "full holds other things: give a new folder"),
        (".", "holds other things: give a new folder"),
        ("used", "the kit in {}/used was itself set up"),
        ("/dev/null/kit", "/dev/null/kit cannot be written to: give a folder"),
    ],
)
def test_a_folder_that_will_not_do_gets_one_sentence(folder, sentence, bare):
    beside = bare.parent
    (beside / "full").mkdir()
    (beside / "full" / "thesis.txt").write_text("precious")
    (beside / "used" / "vqclip_nb" / ".venv").mkdir(parents=True)
    (beside / "used" / "START.txt").touch()
    before = sorted(beside.rglob("*"))
    done = _setup(bare, "kit", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("setup.sh: ")
    assert sentence.format(beside) in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(beside.rglob("*")) == before


def test_the_kit_that_a_project_came_in_is_not_written_over(bare):
    (bare.parent / "START.txt").touch()
    done = _setup(bare, "kit", ".")
    assert done.returncode == 2
    assert "was itself set up" in done.stderr


def test_wheels_that_are_nowhere_are_told(bare):
    done = _setup(bare, VQCLIP_WHEELS="nowhere")
    assert done.returncode == 2
    assert done.stderr == f"setup.sh: VQCLIP_WHEELS is {bare.parent}/nowhere, where no folder is.\n"


@pytest.fixture(scope="module")
def kit(tmp_path_factory) -> tuple[Path, str]:
    """The kit of a project that needs four small packages, and what was said of it."""
    folder = tmp_path_factory.mktemp("teacher")
    project = _copy(folder / "a project")
    (project / "requirements.txt").write_text("setuptools<82\nregex\ntyping_extensions\n")
    facts = (project / "pyproject.toml").read_text()
    small = re.sub(r"^lab = \[.*?\]", 'lab = ["tqdm"]', facts, flags=re.MULTILINE | re.DOTALL)
    (project / "pyproject.toml").write_text(small)
    for waste in (".git/HEAD", "notebooks/lessons/runs/a/picture.png", ".ipynb_checkpoints/x"):
        (project / waste).parent.mkdir(parents=True, exist_ok=True)
        (project / waste).touch()
    for name in ("setuptools", "regex", "typing_extensions", "tqdm", "einops"):
        _wheel(name, folder / "index")
    kit = folder / "my kit"
    (kit / "wheels").mkdir(parents=True)
    (kit / "START.txt").touch()  # a former kit, with a wheel that is no longer needed
    shutil.copy(next((folder / "index").glob("einops*")), kit / "wheels")
    done = _setup(project, "kit", kit.name, PIP_NO_INDEX="1", PIP_FIND_LINKS=f"{folder}/index")
    assert done.returncode == 0, done.stderr
    return kit, done.stdout


@pytest.mark.slow
def test_a_kit_holds_the_lessons_and_the_wheels_and_nothing_else(kit):
    folder, said = kit
    wheels = sorted(path.name.partition("-")[0] for path in folder.glob("wheels/*.whl"))
    assert wheels == ["regex", "setuptools", "tqdm", "typing_extensions"]
    project = folder / "vqclip_nb"
    collected = {str(path.relative_to(project)) for path in project.rglob("*")}
    lessons = {str(path.relative_to(ROOT)) for path in ROOT.glob("notebooks/**/[!.]*.ipynb")}
    assert {name for name in lessons if "/." not in name} <= collected
    assert {".git", ".venv", "notebooks/lessons/runs", ".ipynb_checkpoints"} & collected == set()
    start = (folder / "START.txt").read_text()
    assert start.count("\n") == 5
    assert "Python {}.{}".format(*sys.version_info) in start
    assert start in said


@pytest.mark.slow
def test_a_laptop_without_network_is_set_up_from_a_kit(kit, tmp_path):
    shutil.copytree(kit[0], tmp_path / "laptop")
    laptop = tmp_path / "laptop" / "vqclip_nb"
    done = _setup(laptop)
    assert done.returncode == 0, done.stderr
    assert NOWHERE not in done.stdout + done.stderr
    program = "import regex, vqclip_nb; print(vqclip_nb.__file__)"
    python = [laptop / ".venv" / "bin" / "python", "-c", program]
    said = subprocess.run(python, cwd="/", capture_output=True, text=True, check=True).stdout
    assert said == f"{laptop}/vqclip_nb/__init__.py\n"


@pytest.mark.slow
def test_where_wheels_are_no_index_is_asked_for_what_they_lack(tmp_path):
    project = _copy(tmp_path / "vqclip_nb")
    _wheel("setuptools", tmp_path / "wheels")
    done = _setup(project)
    assert done.returncode == 2
    assert "No matching distribution found for" in done.stderr
    assert f"setup.sh: pip could not install everything from {tmp_path}/wheels" in done.stderr
    assert NOWHERE.removeprefix("http://") not in done.stderr


def _needed(lines: list[str]) -> set[str]:
    """The names of the distributions that requirements bring, themselves and all they need."""
    found, waiting = set(), [Requirement(line) for line in lines]
    while waiting:
        wanted = waiting.pop()
        if (key := (canonicalize_name(wanted.name), *sorted(wanted.extras))) in found:
            continue
        found.add(key)
        for line in distribution(wanted.name).requires or []:
            needs = Requirement(line)
            cases = [{"extra": extra} for extra in ("", *wanted.extras)]
            if needs.marker is None or any(map(needs.marker.evaluate, cases)):
                waiting.append(needs)
    return {key[0] for key in found}


@pytest.mark.slow
def test_the_lessons_import_only_what_a_kit_installs(tmp_path):
    lines = [x.partition("#")[0].strip() for x in (ROOT / "requirements.txt").open()]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for name in _needed([*filter(None, lines), *extras["lab"]]):
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files} - {"..", "__pycache__"}:
            if not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(installed.locate_file(top))
    imports = {
        ast.unparse(node)
        for path in ROOT.glob("notebooks/lessons/**/[0-9]*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and not ast.unparse(node).startswith("from google.colab")
    }
    assert imports
    done = subprocess.run(
        [sys.executable, "-S", "-c", "\n".join(sorted(imports))],  # without its own site-packages
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_kits_python_is_the_one_that_is_wanted(tmp_path):
    shutil.copy(ROOT / "setup.sh", tmp_path)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "python.txt").write_text("3.99\n")
    done = _setup(tmp_path, VQCLIP_WHEELS=str(tmp_path / "wheels"))
    assert done.returncode == 2
    found = "only Python {}.{}".format(*sys.version_info)
    assert done.stderr == f"setup.sh: Python 3.99 is needed and {found} was found: install it.\n"
