"""The house: imports go one way, each folder says what it is for, and the core stands alone."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import vqclip_nb as vq

ROOT = Path(vq.__file__).parent
# What imports what: each room may import those before it.
ROOMS = [
    "untrusted",
    "prompt_syntax",
    "pictures",
    "settings",
    "storage",
    "models",
    "core",
    "accel",
    "run",
]
ROOMS += ["films", "evaluation", "train", "sweeps", "lessons", "widgets", "cli", "__main__"]


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    _name(path): path
    for path in ROOT.rglob("*.py")
    if path.parent != ROOT or path.stem != "__init__"
}


def _imports(name: str) -> set[str]:
    """The modules of this package that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & MODULES.keys() or {node.module}
    return found & MODULES.keys()


GRAPH = {name: _imports(name) for name in MODULES}


def _room(name: str) -> int:
    return ROOMS.index(name.split(".")[1])


def test_no_module_imports_from_a_room_above_its_own():
    arrows = {(name, other) for name, others in GRAPH.items() for other in others}
    assert {arrow for arrow in arrows if _room(arrow[0]) < _room(arrow[1])} == set()


def test_imports_form_no_circle_and_at_most_13_levels():
    levels: dict[str, int] = {}
    for name in TopologicalSorter(GRAPH).static_order():
        levels[name] = 1 + max((levels[other] for other in GRAPH[name]), default=0)
    assert max(levels.values()) <= 13


def test_the_top_of_the_package_is_short_and_every_folder_says_what_it_is_for():
    assert len(list(ROOT.glob("*.py"))) <= 6
    for folder in {path.parent for path in ROOT.rglob("*.py")}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


def test_every_public_name_is_there_and_another_is_refused_with_a_sentence():
    assert all(hasattr(vq, name) for name in vq.__all__)
    assert {"Studio", "generate", "__version__"} <= set(dir(vq))
    with pytest.raises(AttributeError, match="vqclip_nb has no 'paint': it has Form, Gallery"):
        vq.paint()


# All questions of what an import brings, in one process: each would wait a second for torch.
STAGES = {
    "package": ["vqclip_nb", "vqclip_nb.core"],
    "settings": [name for name in MODULES if name.split(".")[1] in ("settings", "cli")],
    "core": [name for name in MODULES if _room(name) == ROOMS.index("core")],
    "run": ["vqclip_nb.run"],
    "all below it": [name for name in MODULES if _room(name) <= ROOMS.index("run")],
}
STAGES["settings"] += ["vqclip_nb.films.options", "vqclip_nb.sweeps.grid"]
PROGRAM = f"""
import importlib, json, sys
seen = {{}}
for stage, names in {STAGES}.items():
    for name in names:
        importlib.import_module(name)
    seen[stage] = [*sys.modules]
sys.modules["vqclip_nb"].load_models("tiny", device="cpu")
seen["models"] = [*sys.modules]
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """The modules in a fresh process after each stage; it prints and warns nothing."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return {stage: set(names) for stage, names in json.loads(done.stdout).items()}


def test_neither_the_package_nor_what_reads_settings_imports_torch(imported):
    assert "torch" not in imported["settings"]


def test_the_core_imports_nothing_that_is_built_on_it(imported):
    others = {"storage", *ROOMS[ROOMS.index("core") + 1 :]}
    new = imported["core"] - imported["settings"]
    assert {name for name in new & MODULES.keys() if name.split(".")[1] in others} == set()
    assert imported["package"] & MODULES.keys() == {"vqclip_nb.core"}


def test_a_run_imports_no_judge_no_notebook_and_no_figures(imported):
    assert "vqclip_nb.models.judge" not in imported["run"]
    assert {"IPython", "ipywidgets", "matplotlib"} & imported["models"] == set()


def test_what_comes_with_taming_unasked_is_not_imported(imported):
    assert {name for name in imported["models"] if "lightning" in name} == set()
    assert "torchmetrics" not in imported["models"]
