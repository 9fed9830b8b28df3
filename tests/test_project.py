"""The project from outside: requirements, size, top level, README, command."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from vqclip_nb.settings import specs

ROOT = Path(__file__).parents[1]


def _constraints() -> dict[str, str]:
    """Versions that Colab has preinstalled now, by name."""
    lines = (ROOT / ".ci" / "colab" / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


COLAB = {
    "now": _constraints(),
    "2025.07": {"torch": "2.6.0", "numpy": "2.0.2", "ipywidgets": "7.7.1"},  # the oldest offered
}
ON_PURPOSE = {"gdown"}  # requirements.txt says why


def _requirements() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines]
    return [Requirement(line) for line in wanted if line]


@pytest.mark.parametrize("runtime", COLAB)
def test_nothing_that_colab_has_is_moved(runtime):
    there = COLAB[runtime]
    known = [r for r in _requirements() if r.name in there and r.name not in ON_PURPOSE]
    assert len(known) > 2
    assert [r for r in known if there[r.name] not in r.specifier] == []


def test_every_requirement_says_why_it_is_there():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line and "#" not in line] == []


def test_the_lock_has_a_version_that_fits_and_checksums_for_every_requirement():
    text = (ROOT / ".ci" / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    locked = {}
    for entry in entries:
        name, version = re.match(r"(\S+)==([^\s;]+)", entry).groups()
        locked.setdefault(name.lower().replace("_", "-"), []).append(version)
    for wanted in _requirements():
        versions = locked[wanted.name.lower().replace("_", "-")]
        assert any(version in wanted.specifier for version in versions), wanted


def test_the_top_level_holds_only_what_belongs_there():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    top = {name.split("/")[0] for name in listed}
    allowed = {"notebooks", "vqclip_nb", "tests", "requirements.txt", "setup.sh", "README.md"}
    allowed |= {"pyproject.toml", "LICENSE", "SECURITY.md", ".ci", "assets", ".gitignore"}
    assert top <= allowed


def test_the_embedded_models_fit_into_48_mib():
    files = (ROOT / "vqclip_nb" / "models" / "tiny").iterdir()
    assert sum(file.stat().st_size for file in files) <= 48 * 2**20


def test_every_file_that_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)
    assert linked
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_the_readmes_table_is_the_settings_own():
    rows = []
    for name, spec in specs().items():
        value = spec.default
        shown = " × ".join(map(str, value)) if isinstance(value, tuple) else value
        note = " Can change live." if spec.live else ""
        unit = f" {spec.unit}" if spec.unit and shown is not None else ""
        rows.append(f"| `{name}` | {'' if shown is None else shown}{unit} | {spec.help}{note} |")
    assert "\n".join(rows) in (ROOT / "README.md").read_text(), "\n" + "\n".join(rows)


def test_the_readmes_python_examples_are_allowed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    examples = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    shortened = examples.replace("total_iter=30", "total_iter=2, im_shape=(64, 64), cutn=2")
    exec(compile(shortened.replace(", 30,", ", 2,"), "README.md", "exec"), {})
    assert len(list((tmp_path / "runs").glob("*/picture.png"))) == 3


def test_the_command_is_installed_under_its_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"vqclip": "vqclip_nb.cli:main"}
