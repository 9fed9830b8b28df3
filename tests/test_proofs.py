"""The proofs on rented GPUs, with stand-ins for `colab`, `kaggle` and the machines they rent."""

import functools
import importlib
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.cli import main

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / ".ci"))
proof = importlib.import_module("proof")

STEPS = ["1_first_cell", "2_quick_start", "3_paint", "4_bench", "5_bench_against"]
TODAY = "2026-01-31"
PIXEL = b"\x89PNG, as far as anyone looks"

# Runs all cells of a notebook, even after one has raised an exception.
CELLS = """\
import contextlib, io, os, sys

def run_cells(notebook, folder):
    os.chdir(folder)
    sys.path.insert(0, "")
    names = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        text, outputs = io.StringIO(), []
        try:
            with contextlib.redirect_stdout(text):
                exec("".join(cell["source"]), names)
        except Exception as error:
            said = {"ename": type(error).__name__, "evalue": str(error), "traceback": []}
            outputs = [{"output_type": "error"} | said]
        shown = {"output_type": "stream", "name": "stdout", "text": text.getvalue()}
        cell["outputs"] = [shown, *outputs]
    return notebook
"""

# Both stand-ins record their arguments; `plan.json` says what goes wrong.
COMMON = f"""\
{CELLS}
import json, pathlib, shutil, time

home = pathlib.Path(os.environ["FAKE"])
words, plan = sys.argv[1:], json.loads((home / "plan.json").read_text())
with open(home / "calls.jsonl", "a") as calls:
    calls.write(json.dumps(words) + "\\n")

def option(*names):
    return next(words[words.index(name) + 1] for name in names if name in words)

def hang():
    (home / "hanging").write_text(str(os.getpid()))
    time.sleep(30)

"""

# As google-colab-cli 0.7.5: `exec` exits with 0 even if a cell raised an exception.
COLAB = """\
command = words[0]
if command == "version":
    print("Version: 0.7.5")
elif command == "sessions":
    if not plan.get("logged_in", True):
        print("To authorize colab-cli, visit this URL in any browser:", file=sys.stderr)
        input("Enter the authorization code: ")
    print("[colab] No active sessions found on server.")
elif command == "new":
    time.sleep(plan.get("new_takes", 0))
    if plan.get("no_gpu"):
        sys.exit(f"[colab] Backend rejected accelerator '{option('--gpu')}'.")
    (home / "session").write_text(option("-s"))
    (home / "vm" / "content").mkdir(parents=True)
    print("[colab] Session READY.")
elif command == "stop":
    if plan.get("stop_fails"):
        sys.exit("colab_cli.client.ColabRequestError: Failed to issue request")
    there = (home / "session").exists() and (home / "session").read_text() == option("-s")
    (home / "session").unlink(missing_ok=True)
    print("[colab] Session terminated." if there else "[colab] Session not found.")
elif (home / "session").read_text() != option("-s"):
    sys.exit(f"[colab] Session '{option('-s')}' not found.")
elif command == "upload":
    if plan.get("upload_fails"):
        sys.exit("[colab] Upload failed: 500 Server Error")
    shutil.copy(words[3], home / "vm" / words[4].strip("/"))
elif command == "download":
    file = home / "vm" / words[3].strip("/")
    if not file.exists():
        sys.exit("[colab] Download failed: File or directory not found")
    shutil.copy(file, words[4])
elif command == "exec":
    file = pathlib.Path(option("-f"))
    if plan.get("hangs") == file.stem:
        hang()
    if plan.get("lost") == file.stem:
        sys.exit("RuntimeError: Connection was lost.")
    ran = run_cells(json.loads(file.read_text()), home / "vm" / "content")
    file.with_name(file.stem + "_output.ipynb").write_text(json.dumps(ran))
else:
    sys.exit(f"No such command '{command}'.")
"""

# As kaggle 2.2.5: a refusal is a printed text, and exits with 0.
KAGGLE = """\
import subprocess

command, kaggle = " ".join(words[:2]), home / "kaggle"
if words == ["--version"]:
    print("Kaggle CLI 2.2.5")
elif not plan.get("logged_in", True):
    print("Authentication required to call the Kaggle API.")
    sys.exit(1)
elif command == "config view":
    print("Configuration values from /home/ada/.kaggle")
    print("- username: ada")
    print("- auth_method: OAUTH")
elif command == "datasets create":
    if plan.get("dataset_refused"):
        print("Dataset creation error: The requested title is already in use")
        sys.exit()
    shutil.copytree(option("-p"), kaggle / "input" / "datasets" / "ada" / "it")
    print("Your private Dataset is being created. Please check progress at /datasets/ada/it")
elif command == "datasets status":
    seen = home / "seen"
    print("ready" if seen.exists() else "blobs_received", end="")
    seen.touch()
elif command == "kernels push":
    if plan.get("push_refused"):
        print("Kernel push error: Maximum weekly GPU quota was reached.")
        sys.exit()
    shutil.copytree(option("-p"), home / "pushed")
    print("Kernel version 1 successfully pushed.  Please check progress at /code/ada/it")
elif command == "kernels status":
    if plan.get("hangs"):
        hang()
    state = plan.get("status", "COMPLETE") if (home / "ran").exists() else "QUEUED"
    if state == "COMPLETE" and not (kaggle / "working").exists():
        (kaggle / "working").mkdir()
        main = (home / "pushed" / "main.py").read_text().replace("/kaggle/", f"{kaggle}/")
        subprocess.run([sys.executable, "-c", main], cwd=kaggle / "working", check=True)
    (home / "ran").touch()
    print(f'{words[2]} has status "KernelWorkerStatus.{state}"')
elif command == "kernels output":
    import re
    for file in (kaggle / "working").glob("*") if (kaggle / "working").exists() else ():
        if re.search(option("--file-pattern"), file.name):
            shutil.copy(file, option("-p"))
    log = pathlib.Path(option("-p")) / (words[2].split("/")[1] + ".log")
    log.write_text("what the script printed")
elif command in ("kernels delete", "datasets delete"):
    there = (home / "pushed" if words[0] == "kernels" else kaggle / "input").exists()
    if not there or plan.get("undeletable"):
        sys.exit("404 Client Error: Not Found")
    print(f"{words[3]} deleted successfully.")
else:
    sys.exit(f"invalid choice: {command}")
"""

NBCLIENT = """\
import os
from types import SimpleNamespace

import nbformat

exec(open(os.environ["FAKE"] + "/cells.py").read())
exceptions = SimpleNamespace(CellTimeoutError=TimeoutError)

class NotebookClient:
    def __init__(self, notebook, timeout, allow_errors):
        self.notebook, self.right = notebook, allow_errors and timeout == 1800

    def execute(self):
        assert self.right
        self.notebook.update(nbformat.from_dict(run_cells(self.notebook, ".")))
"""

# What the rented machine imports, as far as proof.py uses it.
PACKAGE = f"""\
from types import SimpleNamespace

def describe_machine():
    return "a stand-in"

class Settings:
    def __init__(self, **fields):
        self.__dict__ = fields

class Picture:
    def save(self, path):
        open(path, "wb").write({PIXEL!r})

class Run:
    def __init__(self, settings):
        assert settings.device == "cuda"
        self.total, self.seconds = settings.total_iter, 12.5
        self.models = SimpleNamespace(vqgan=SimpleNamespace(dtype="torch.float16"))

    def __iter__(self):
        for i in range(self.total):
            yield SimpleNamespace(loss=0.95 - i / 1000)

    def images(self):
        return [Picture()]
"""
BENCH = """\
import json, os, pathlib, sys

plan = json.loads((pathlib.Path(os.environ["FAKE"]) / "plan.json").read_text())
size, against = sys.argv[sys.argv.index("--size") + 1], "--against" in sys.argv
if plan.get("out_of_memory") == [size, against]:
    print("1 of 1: 512 pixels", file=sys.stderr)
    sys.exit("vqclip: CUDA out of memory.")
print("GPU: Tesla T4", "", sep="\\n")
print("| model | size | it/s |" + (" faster |" if against else ""))
print("| --- | --- | --- |" + (" --- |" if against else ""))
print(f"| imagenet_f16_16384 | {size}×{size} | 9.99 |" + (" 2.00× |" if against else ""))
"""
TORCH = """\
class cuda:
    reset_peak_memory_stats = empty_cache = staticmethod(lambda: None)
    max_memory_allocated = staticmethod(lambda: 3 << 30)
"""
SMI = "#!/bin/sh\necho 'Tesla T4, 15360 MiB, 550.54.15'\n"


class Place:
    """A clone of a small project, stand-ins on the path, and a record of their calls."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.home, self.bin = (folder / name for name in ("clone", "home", "bin"))
        self.pages = folder / "the pages"
        for each in (self.clone / ".ci", self.clone / "notebooks", self.home, self.pages):
            each.mkdir(parents=True)
        for name in ("colab_proof.sh", "kaggle_proof.sh", "proof.py", "first_cell.py"):
            shutil.copy(ROOT / ".ci" / name, self.clone / ".ci")
        self.commit('print("painted")')
        self._stand_in(folder / "site")
        self.plan()

    def commit(self, quick_start: str) -> None:
        """Make this the quick start, and commit everything."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(quick_start)])
        nbformat.write(notebook, self.clone / "notebooks" / "00_quickstart.ipynb")
        who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A | in its subject"]):
            subprocess.run(["git", *who, *words], cwd=self.clone, check=True)

    def plan(self, **wrong: object) -> None:
        """Set what goes wrong from now on."""
        (self.home / "plan.json").write_text(json.dumps(wrong))

    def start(self, place: str, *words: str) -> subprocess.Popen:
        self.process = subprocess.Popen(
            ["bash", str(self.clone / ".ci" / f"{place}_proof.sh"), *words],
            cwd=self.pages,
            env=os.environ | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self.process

    def prove(self, place: str, *words: str) -> tuple[int, str, str]:
        """Run a proof: its exit status, stdout and stderr."""
        out, err = self.start(place, *words).communicate(timeout=30)
        return self.process.returncode, out, err

    def calls(self) -> list[list[str]]:
        """The arguments of every call of a stand-in."""
        file = self.home / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def page(self) -> str:
        (page,) = self.pages.glob("*.md")
        return page.read_text()

    def rows(self) -> dict[str, tuple[str, str]]:
        """Result and seconds of each step on the page."""
        table = self.page().split("| step | result | seconds |\n")[1].split("\n\n")[0]
        cells = [re.split(r" (?<!\\)\| ", line[2:-2]) for line in table.splitlines()[1:]]
        return {step: (result, seconds) for step, result, seconds in cells}

    def wait_until_it_hangs(self) -> int:
        """The id of the process that hangs."""
        for _ in range(200):
            if (self.home / "hanging").exists() and (self.home / "hanging").read_text():
                return int((self.home / "hanging").read_text())
            time.sleep(0.05)
        raise AssertionError(self.process.communicate(timeout=1))

    def _stand_in(self, site: Path) -> None:
        (site / "vqclip_nb").mkdir(parents=True)
        (site / "vqclip_nb" / "__init__.py").write_text(PACKAGE)
        (site / "vqclip_nb" / "__main__.py").write_text(BENCH)
        (site / "torch.py").write_text(TORCH)
        (site / "nbclient.py").write_text(NBCLIENT)
        (site / "kornia.py").touch()
        calendar = f"import time\ntime.strftime = lambda _: {TODAY!r}\n"
        (site / "sitecustomize.py").write_text(calendar)
        (self.home / "cells.py").write_text(CELLS)
        self.bin.mkdir()
        self.put("colab", f"#!{sys.executable}\n{COMMON}{COLAB}")
        self.put("kaggle", f"#!{sys.executable}\n{COMMON}{KAGGLE}")
        self.put("sleep", "#!/bin/sh\n")
        self.put("nvidia-smi", SMI)
        (self.bin / "python3").symlink_to(Path(sys.executable).resolve())
        for name in ("bash", "git", "sh", "env", "dirname", "basename", "mktemp", "rm", "cat"):
            (self.bin / name).symlink_to(shutil.which(name))
        for name in ("sed", "date", "tr", "tail"):
            (self.bin / name).symlink_to(shutil.which(name))
        self.variables = {
            "PATH": str(self.bin),
            "FAKE": str(self.home),
            "PYTHONPATH": str(site),
            "TMPDIR": str(self.home),
            "COLAB_RELEASE_TAG": "",
        }

    def put(self, name: str, text: str) -> None:
        """Add a command to the path."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def proven(tmp_path_factory) -> tuple[Place, str]:
    """A proof on Colab in which everything passes, and its stdout."""
    place = Place(tmp_path_factory.mktemp("proven"))
    status, out, err = place.prove("colab", str(place.pages))
    assert (status, err) == (0, ""), out
    return place, out


def test_colab_runs_every_step_in_order_and_returns_the_machine(proven):
    place, _ = proven
    calls = place.calls()
    assert calls[:2] == [["version"], ["sessions"]]
    session = calls[2][2]
    assert calls[2] == ["new", "-s", session, "--gpu", "T4"]
    assert calls[3][:3] == ["upload", "-s", session]
    assert calls[3][4] == "/content/vqclip_nb-main.zip"
    executed = [Path(call[4]).stem for call in calls if call[0] == "exec"]
    assert executed == STEPS
    for call in calls[4:9]:
        assert call[:4] == ["exec", "-s", session, "-f"]
        assert call[call.index("--timeout") + 1] == str(proof.LIMIT)
    assert [call[0] for call in calls[9:]] == ["download", "stop"]
    assert not (place.home / "session").exists()
    assert not list(place.home.glob("vqclip-proof.*"))


def test_the_page_has_machine_commit_steps_painting_and_benchmark(proven):
    place, out = proven
    name = f"proof-colab-{TODAY}"
    assert out.endswith(f"6 of 6 steps passed: {place.pages}/{name}.md\n")
    page = place.page()
    head = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(head, cwd=place.clone, capture_output=True, text=True).stdout.strip()
    assert f"| commit | {commit} A \\| in its subject |" in page
    assert "| GPU | Tesla T4, 15360 MiB |\n| driver | 550.54.15 |" in page
    assert "| driven by | colab 0.7.5 |" in page
    for package in ("torch", "ipywidgets", "ipykernel"):
        assert f"| {package} | {metadata.version(package)} |" in page
    assert list(place.rows()) == list(proof.STEPS.values())
    assert {result for result, _ in place.rows().values()} == {"passed"}
    assert all(seconds.isdigit() for _, seconds in place.rows().values())
    assert "## imagenet_f16_16384 with ViT-B/32 at 256×256" in page
    assert "| float16 | 32 | 50 | 12.5 | 4.00 | 3.00 GiB | 0.9500 | 0.9010 |" in page
    assert f"]({name}.png)" in page
    assert (place.pages / f"{name}.png").read_bytes() == PIXEL
    plain, against = page.split("## vqclip bench\n")[1].split("## vqclip bench --against ")
    assert plain.count("| --- |\n") == against.count("| --- |\n") == 1
    assert re.findall(r"16384 \| (\d+)×", plain) == ["256", "512"]
    assert re.findall(r"16384 \| (\d+)×.*2.00× \|", against) == ["256", "512"]


def test_a_second_page_on_the_same_day_gets_a_number(place):
    first = place.pages / f"proof-colab-{TODAY}.md"
    first.write_text("the first")
    place.plan(upload_fails=True)
    _, out, _ = place.prove("colab")
    assert out.endswith(f"{first.stem}-2.md\n")
    assert first.read_text() == "the first"
    assert first.with_name(f"{first.stem}-2.md").read_text().startswith("# Proof on Colab")


def test_a_failing_step_is_reported_and_does_not_stop_the_others(place):
    place.commit('print("begun")\nraise OSError("no | codec")')
    place.plan(out_of_memory=["512", True], lost="3_paint")
    status, out, err = place.prove("colab")
    assert status == 1
    assert "3 of 6 steps passed" in out
    assert "Connection was lost" in err
    results = [result for result, _ in place.rows().values()]
    assert results[:3] == ["passed", "passed", "failed: OSError: no \\| codec"]
    assert results[3] == "failed: exit status 1"
    assert results[4] == "passed"
    assert results[5] == "failed: RuntimeError: 512 pixels: vqclip: CUDA out of memory."
    assert "| 256×256 | 9.99 | 2.00× |" in place.page()  # the row that could be measured
    assert ".png" not in place.page()
    assert [call[0] for call in place.calls()][-2:] == ["download", "stop"]


def test_nothing_runs_if_the_upload_fails(place):
    place.plan(upload_fails=True)
    status, _, err = place.prove("colab")
    assert status == 1
    assert "Upload failed: 500 Server Error" in err
    assert [call[0] for call in place.calls()][2:] == ["new", "upload", "stop"]
    assert [result for result, _ in place.rows().values()] == [
        "failed: exit status 1",
        *["not run"] * 5,
    ]


@pytest.mark.parametrize("whom", ["the terminal's whole group", "bash alone"])
def test_an_interrupt_returns_the_machine_at_once(whom, place):
    place.plan(hangs="2_quick_start")
    place.start("colab")
    hanging = place.wait_until_it_hangs()
    kill = os.kill if whom == "bash alone" else os.killpg
    kill(place.process.pid, signal.SIGINT)
    _, err = place.process.communicate(timeout=20)  # less than what hangs would take
    assert place.process.returncode == 130
    assert "Session terminated." in err
    assert place.calls()[-1][0] == "stop"
    assert not (place.home / "session").exists()
    assert not list(place.pages.iterdir())
    assert not list(place.home.glob("vqclip-proof.*"))
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)


def test_an_interrupt_while_renting_still_returns_the_machine(place):
    place.plan(new_takes=0.5)
    place.start("colab")
    while ["new"] not in [call[:1] for call in place.calls()]:
        time.sleep(0.02)
    os.killpg(place.process.pid, signal.SIGINT)
    _, err = place.process.communicate(timeout=10)
    assert place.process.returncode == 130
    assert [call[0] for call in place.calls()][2:] == ["new", "stop"]
    assert "Session terminated." in err


def test_a_machine_that_cannot_be_returned_is_reported(place):
    place.plan(stop_fails=True, upload_fails=True)
    status, _, err = place.prove("colab")
    assert status == 1
    assert [call[0] for call in place.calls()].count("stop") == 3
    session = place.calls()[2][2]
    assert "colab_proof.sh: colab stop failed 3 times, so the machine may still run: " in err
    assert f"'colab stop -s {session}'" in err
    assert place.rows()["upload the code"][0] == "failed: exit status 1"


def test_an_unavailable_gpu_is_reported(place):
    place.plan(no_gpu=True)
    status, _, err = place.prove("colab", "--gpu", "H100")
    assert status == 2
    assert "Backend rejected accelerator 'H100'" in err
    assert "colab_proof.sh: Colab provided no H100, see its message above: " in err
    assert [call[0] for call in place.calls()][2:] == ["new", "stop"]
    assert not list(place.pages.iterdir())


REFUSED = [
    (["--gpu", "K80"], {}, "--gpu is 'K80', which Colab does not have: give T4, L4, G4,"),
    (["--gpu", "T4 | L4"], {}, "--gpu is 'T4 | L4', which Colab does not have"),
    (["--gpu"], {}, "--gpu is '', which Colab does not have"),
    (["--tpu"], {}, "--tpu is unknown: give --gpu NAME, a folder, or nothing."),
    (["a", "b"], {}, "two folders were given, a and b: give one."),
    (["nowhere"], {}, "nowhere is not a writable folder: give another one for the page."),
    ([], {"logged_in": False}, "colab is not logged in, or offline: run 'colab sessions'"),
    (["colab"], {}, "colab is not installed, or does not run: see 'pip install google"),
    (["changed"], {}, "clone has uncommitted changes: commit or stash them first."),
    (["no git"], {}, "clone: run this in a clone of the project."),
]


@pytest.mark.parametrize(("words", "plan", "sentence"), REFUSED)
def test_colab_refuses_in_one_sentence_before_renting(words, plan, sentence, place):
    place.plan(**plan)
    if words == ["colab"]:
        (place.bin / words.pop()).unlink()
    elif words == ["changed"]:
        words.pop()
        (place.clone / "untracked.md").touch()  # alone would do no harm
        (place.clone / ".ci" / "first_cell.py").write_text("changed")
    elif words == ["no git"]:
        words.pop()
        shutil.rmtree(place.clone / ".git")
    status, out, err = place.prove("colab", *words)
    assert (status, out) == (2, "")
    assert re.fullmatch(r"colab_proof\.sh: .*\n", err)
    assert sentence in err
    assert {call[0] for call in place.calls()} <= {"version", "sessions"}
    assert not list(place.pages.iterdir())


def test_kaggle_runs_every_step_and_keeps_nothing(place):
    status, out, err = place.prove("kaggle", "--gpu", "NvidiaL4")
    assert (status, err) == (0, "")
    calls = place.calls()
    assert [" ".join(call[:2]) for call in calls] == [
        "--version",
        "config view",
        "datasets create",
        *["datasets status"] * 2,
        "kernels push",
        *["kernels status"] * 2,
        "kernels output",
        "kernels delete",
        "datasets delete",
    ]
    ours = calls[3][2]
    assert re.fullmatch(r"ada/vqclip-nb-proof-\d{8}-\d{6}", ours)
    assert calls[5][4:] == ["--timeout", "5400", "--accelerator", "NvidiaL4"]
    assert calls[-2] == ["kernels", "delete", "-y", ours]
    assert calls[-1] == ["datasets", "delete", "-y", ours]
    kernel = json.loads((place.home / "pushed" / "kernel-metadata.json").read_text())
    assert (kernel["id"], kernel["title"], kernel["dataset_sources"]) == (ours, ours[4:], [ours])
    assert kernel["is_private"]
    assert kernel["enable_gpu"]
    assert kernel["enable_internet"]
    dataset = next((place.home / "kaggle" / "input").rglob("dataset-metadata.json"))
    assert json.loads(dataset.read_text())["id"] == ours
    assert out.endswith(f"-kaggle-{TODAY}.md\n")
    assert {result for result, _ in place.rows().values()} == {"passed"}
    assert "| GPU | Tesla T4, 15360 MiB |" in place.page()
    assert "| driven by | Kaggle CLI 2.2.5 |" in place.page()
    assert "| float16 | 32 | 50 | 12.5 | 4.00 | 3.00 GiB | 0.9500 | 0.9010 |" in place.page()
    assert len(list(place.pages.glob("*.png"))) == 1


def test_a_failing_step_on_kaggle_does_not_stop_the_others(place):
    place.commit("1 / 0")
    place.plan(out_of_memory=["256", False])
    status, _, _ = place.prove("kaggle")
    assert status == 1
    results = [result for result, _ in place.rows().values()]
    assert results[2] == "failed: ZeroDivisionError: division by zero"
    assert results[4] == "failed: RuntimeError: 256 pixels: vqclip: CUDA out of memory."
    assert [results[i] for i in (0, 1, 3, 5)] == ["passed"] * 4


@pytest.mark.parametrize(("state", "asked"), [("ERROR", 2), ("RUNNING", 3)])
def test_a_run_that_does_not_complete_is_reported_and_deleted(state, asked, place):
    script = place.clone / ".ci" / "kaggle_proof.sh"
    script.write_text(script.read_text().replace("\nlimit=90 ", "\nlimit=3 "))
    place.commit("1")
    place.plan(status=state)
    status, _, err = place.prove("kaggle")
    assert status == 1
    assert f'status "kernelworkerstatus.{state.lower()}"' in err
    assert "what the script printed" in err
    calls = [" ".join(call[:2]) for call in place.calls()]
    assert calls.count("kernels status") == asked
    assert calls[-2:] == ["kernels delete", "datasets delete"]
    assert place.rows()["upload the code"][0] == "passed"
    assert place.rows()["first cell"] == ("not run", "")


def test_a_refusal_of_kaggle_is_reported(place):
    place.plan(push_refused=True)
    status, _, err = place.prove("kaggle")
    assert status == 2
    assert "kaggle_proof.sh: Kaggle rejected the script, see its message above: " in err
    calls = [" ".join(call[:2]) for call in place.calls()]
    assert calls[-2:] == ["kernels push", "datasets delete"]
    place.plan(dataset_refused=True)
    status, _, err = place.prove("kaggle")
    assert status == 1
    assert err == "Dataset creation error: The requested title is already in use\n"
    assert [" ".join(call[:2]) for call in place.calls()][-1] == "datasets create"
    assert place.rows()["upload the code"][0] == "failed: exit status 1"


def test_what_cannot_be_deleted_on_kaggle_is_reported(place):
    place.plan(undeletable=True, status="ERROR")
    status, _, err = place.prove("kaggle")
    assert status == 1
    assert re.search(r"kaggle_proof.sh: ada/\S+ could not be deleted from your kernels: ", err)
    assert [call[:2] for call in place.calls()][-1] == ["datasets", "delete"]
    assert place.rows()["upload the code"][0] == "passed"


def test_an_interrupt_deletes_the_run_on_kaggle(place):
    place.plan(hangs=True)
    place.start("kaggle")
    place.wait_until_it_hangs()
    os.killpg(place.process.pid, signal.SIGINT)
    place.process.communicate(timeout=10)
    assert place.process.returncode == 130
    calls = [" ".join(call[:2]) for call in place.calls()]
    assert calls[-2:] == ["kernels delete", "datasets delete"]
    assert not list(place.pages.iterdir())


@pytest.mark.parametrize(
    ("plan", "missing", "sentence"),
    [
        ({"logged_in": False}, "", "kaggle is not logged in: run 'kaggle auth login' first."),
        ({}, "kaggle", "kaggle is not installed, or does not run: see 'pip install kaggle'."),
    ],
)
def test_kaggle_refuses_in_one_sentence_before_uploading(plan, missing, sentence, place):
    place.plan(**plan)
    if missing:
        (place.bin / missing).unlink()
    status, out, err = place.prove("kaggle")
    assert (status, out) == (2, "")
    assert re.fullmatch(r"kaggle_proof\.sh: .*\n", err)
    assert sentence in err
    assert {call[0] for call in place.calls()} <= {"--version", "config"}


def test_the_notebooks_are_those_of_the_project():
    made = proof.notebooks()
    stamp = runpy.run_path(str(ROOT / ".ci" / "stamp.py"))
    assert list(made) == STEPS
    assert made["1_first_cell"]["cells"][0]["source"] == stamp["first_cell"]("")
    quick_start = (ROOT / "notebooks" / "00_quickstart.ipynb").read_text()
    assert "stay = True " in quick_start
    unattended = quick_start.replace("stay = True ", "stay = False ")
    assert made["2_quick_start"] == json.loads(unattended)
    for notebook in made.values():
        nbformat.validate(nbformat.from_dict(notebook))


def test_script_and_module_have_the_same_limit():
    script = (ROOT / ".ci" / "colab_proof.sh").read_text()
    assert f"\nlimit={proof.LIMIT} " in script


def test_a_command_that_takes_too_long_is_killed(capfd):
    sleep = ["sh", "-c", "echo begun; exec sleep 30"]
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert proof.main("within", "0.5", *sleep) == 124
        assert proof.main("within", "9", sys.executable, "-c", "raise SystemExit(3)") == 3
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capfd.readouterr().out == "begun\n"


def test_a_notebook_runs_to_its_end_in_a_real_kernel(tmp_path, monkeypatch, capsys):
    cells = ['print(\'proof: {"machine": {"GPU": "T4"}}\')', "1 / 0", "print('after')"]
    monkeypatch.setattr(proof, "notebooks", lambda: {"4_bench": proof._notebook(*cells)})
    monkeypatch.chdir(tmp_path)
    proof.run_here()
    assert capsys.readouterr().out == "4_bench\n"
    texts = ["".join(o["text"]) for o in proof._outputs(tmp_path, "4_bench") if "text" in o]
    assert texts[-1] == "after\n"
    result, seconds = proof._result(tmp_path, "4_bench")
    assert result == "failed: ZeroDivisionError: division by zero"
    assert seconds.isdigit()
    assert proof._facts(tmp_path) == {"machine": {"GPU": "T4"}}


def test_the_package_paints_what_the_proof_asks_for(tiny, tmp_path, monkeypatch, capsys):
    small = {"models": "tiny", "clip": (), "im_shape": (32, 32), "cutn": 4, "device": "cpu"}
    monkeypatch.setattr(proof, "PAINTED", proof.PAINTED | small | {"total_iter": 12})
    monkeypatch.setattr(vq, "Run", functools.partial(vq.Run, models=tiny))
    for name in ("reset_peak_memory_stats", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2**29)
    monkeypatch.chdir(tmp_path)
    proof.paint()
    line = next(line for line in capsys.readouterr().out.splitlines() if proof.MARK in line)
    painting = json.loads(line.removeprefix(proof.MARK))["painting"]
    assert painting["precision"] == "float32"
    assert painting["iterations"] == 12
    assert painting["peak GPU memory"] == "0.50 GiB"
    assert float(painting["last loss"]) < float(painting["first loss"])
    assert (tmp_path / proof.PICTURE).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("against", ["", "nerdyrodent"])
def test_the_package_knows_the_benchmark_that_the_proof_asks_for(against, capsys):
    words = proof.bench_words(256, against)
    assert main([*words, "--iterations", "0"]) == 2  # nothing else is wrong
    assert capsys.readouterr().err == "vqclip: iterations must be 1 or more, got 0.\n"
