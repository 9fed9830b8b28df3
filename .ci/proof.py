"""Runs the project on a rented GPU and writes a page of results.

`colab_proof.sh` and `kaggle_proof.sh` call `pack`, `within`, `kaggle` and `page` here; the rest
runs on the rented machine. Only the standard library is imported at the top, because neither side
has anything else installed when this starts. Python 3.9 or newer.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import itertools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata, util
from pathlib import Path

ROOT = Path(__file__).parents[1]
ZIP, INSIDE = "vqclip_nb-main.zip", "vqclip_nb-main"
LIMIT = 1800  # seconds of one step
STEPS = {
    "0_upload": "upload the code",
    "1_first_cell": "first cell",
    "2_quick_start": "quick start, embedded models",
    "3_paint": "paint with official models",
    "4_bench": "vqclip bench",
    "5_bench_against": "vqclip bench --against nerdyrodent",
}
PAINTED = {
    "prompt": "a castle on a hill at sunset",
    "models": "imagenet_f16_16384",
    "clip": ("ViT-B/32",),
    "im_shape": (256, 256),
    "cutn": 32,
    "total_iter": 50,
    "seed": 3,
    "device": "cuda",
}
PICTURE = "proof.png"
BENCHED = ("--models", "imagenet_f16_16384", "--clip", "ViT-B/32", "--cutn", "32")
SIZES = (256, 512)
MARK = "proof: "  # starts a line of results in a notebook's output

# Imported from inside the zip: .ci is not part of the installed package.
IMPORT = f"""\
import os, sys
sys.path.insert(0, os.path.abspath("{ZIP}/{INSIDE}/.ci"))
import proof
"""

# Kaggle unpacks every archive in a dataset, whatever its name, but leaves text alone.
KAGGLE_MAIN = f"""\
import base64, pathlib, sys, tempfile, zipfile

code = next(pathlib.Path("/kaggle/input").rglob("code.b64"))
archive = pathlib.Path("{ZIP}")
archive.write_bytes(base64.b64decode(code.read_bytes()))
folder = tempfile.mkdtemp()
zipfile.ZipFile(archive).extractall(folder)
sys.path.insert(0, folder + "/{INSIDE}/.ci")
import proof

proof.run_here()
"""


def main(command: str, *words: str) -> int:
    """Run one of the commands below; 2 with one sentence on stderr if it refuses."""
    commands = {"pack": pack, "within": within, "kaggle": kaggle, "page": page}
    try:
        return commands[command](*words) or 0
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


# On the local machine


def pack(folder: str) -> None:
    """Write the committed code as a zip, its commit, and a notebook for each step."""
    # Untracked files, such as the page of an earlier proof, are not part of the commit anyway.
    if _git("status", "--porcelain", "--untracked-files=no"):
        raise ValueError(f"{ROOT} has uncommitted changes: commit or stash them first.")
    work = Path(folder)
    _git("archive", "--format=zip", f"--prefix={INSIDE}/", "-o", str(work / ZIP), "HEAD")
    (work / "commit.txt").write_text(_git("log", "-1", "--format=%H %s"), encoding="utf-8")
    for stem, notebook in notebooks().items():
        (work / f"{stem}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def notebooks() -> dict[str, dict]:
    """The notebook of each step, by the step's key in `STEPS`."""
    # The same as `first_cell("")` in stamp.py, which cannot be imported without nbformat.
    first_cell = (ROOT / ".ci" / "first_cell.py").read_text(encoding="utf-8").rstrip("\n")
    quick_start = (ROOT / "notebooks" / "00_quickstart.ipynb").read_text(encoding="utf-8")
    # nobody is there to press a button: its cell ends with the picture
    quick_start = quick_start.replace("stay = True ", "stay = False ")
    return {
        "1_first_cell": _notebook(first_cell, IMPORT + "proof.describe()"),
        "2_quick_start": json.loads(quick_start),
        "3_paint": _notebook(IMPORT + "proof.paint()"),
        "4_bench": _notebook(IMPORT + "proof.bench()"),
        "5_bench_against": _notebook(IMPORT + 'proof.bench("nerdyrodent")'),
    }


def within(seconds: str, *command: str) -> int:
    """Run a command for at most so many seconds; its exit status, or 124 if it took longer."""
    # SIGTERM becomes an exception, on which `subprocess.run` kills the command.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return subprocess.run(command, timeout=float(seconds)).returncode
    except subprocess.TimeoutExpired:
        return 124


def kaggle(folder: str, owner: str, slug: str) -> None:
    """Write the input of `kaggle datasets create` and `kaggle kernels push` to a packed folder."""
    work, name = Path(folder), {"id": f"{owner}/{slug}", "title": slug}
    dataset = name | {"licenses": [{"name": "other"}]}
    kernel = name | {
        "code_file": "main.py",
        "language": "python",
        "kernel_type": "script",
        "is_private": True,
        "enable_gpu": True,
        "enable_internet": True,
        "dataset_sources": [f"{owner}/{slug}"],
    }
    for part in ("code", "run"):
        (work / part).mkdir()
    (work / "code" / "code.b64").write_bytes(base64.b64encode((work / ZIP).read_bytes()))
    (work / "code" / "dataset-metadata.json").write_text(json.dumps(dataset), encoding="utf-8")
    (work / "run" / "main.py").write_text(KAGGLE_MAIN, encoding="utf-8")
    (work / "run" / "kernel-metadata.json").write_text(json.dumps(kernel), encoding="utf-8")


def page(folder: str, place: str, tool: str, target: str) -> int:
    """Write the page about the results in a folder; 1 if a step did not pass."""
    work = Path(folder)
    results = {stem: _result(work, stem) for stem in STEPS}
    date = time.strftime("%Y-%m-%d")
    name = _free_name(Path(target), f"proof-{place.lower()}-{date}")
    if (work / PICTURE).is_file():
        shutil.copy(work / PICTURE, Path(target) / f"{name}.png")
    text = _as_markdown(work, f"Proof on {place}, {date}", tool, results, name)
    path = Path(target) / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    passed = sum(result == "passed" for result, _ in results.values())
    print(f"{passed} of {len(STEPS)} steps passed: {path}")
    return int(passed < len(STEPS))


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise ValueError(f"git cannot read {ROOT}: run this in a clone of the project.") from None
    return done.stdout.strip()


def _notebook(*sources: str) -> dict:
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [blank | {"id": f"cell-{i}", "source": source} for i, source in enumerate(sources)]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _result(work: Path, stem: str) -> tuple[str, str]:
    """Result and seconds of a step.

    The exit status is not enough: `colab exec` exits with 0 even if a cell raised an exception.
    """
    record = work / f"{stem}.json"
    if not record.is_file():
        return "not run", ""
    known = json.loads(record.read_text(encoding="utf-8"))
    errors = [o for o in _outputs(work, stem) if o["output_type"] == "error"]
    if errors:
        problem = f"{errors[0]['ename']}: {errors[0]['evalue']}"
    elif known["status"] == 124:
        problem = f"it took more than {LIMIT // 60} minutes"
    else:
        problem = known["status"] and f"exit status {known['status']}"
    return f"failed: {problem}" if problem else "passed", str(known["seconds"])


def _outputs(work: Path, stem: str) -> list[dict]:
    """All outputs of a step's notebook."""
    ran = work / f"{stem}_output.ipynb"
    if not ran.is_file():
        return []
    cells = json.loads(ran.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def _facts(work: Path) -> dict:
    """Everything that `_report` printed in the notebooks."""
    facts = {}
    for stem in STEPS:
        streams = [o for o in _outputs(work, stem) if o["output_type"] == "stream"]
        text = "".join("".join(o["text"]) for o in streams if o["name"] == "stdout")
        for line in text.splitlines():
            if line.startswith(MARK):
                facts |= json.loads(line[len(MARK) :])
    return facts


def _free_name(folder: Path, name: str) -> str:
    """The name, with a number appended if a page of that name exists."""
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(each for each in names if not (folder / f"{each}.md").exists())


def _as_markdown(work: Path, title: str, tool: str, results: dict, name: str) -> str:
    facts = _facts(work)
    commit = (work / "commit.txt").read_text(encoding="utf-8").strip()
    machine = facts.get("machine", {}) | {"driven by": tool, "commit": commit}
    steps = [(STEPS[stem], result, seconds) for stem, (result, seconds) in results.items()]
    parts = [f"# {title}", _table(("machine", ""), machine.items())]
    parts.append(_table(("step", "result", "seconds"), steps))
    if painting := facts.get("painting"):
        clip, (width, height) = ", ".join(PAINTED["clip"]), PAINTED["im_shape"]
        parts.append(f"## {PAINTED['models']} with {clip} at {width}×{height}")
        parts.append(_table(painting, [painting.values()]))
    if (work / PICTURE).is_file():
        parts.append(f"![{PAINTED['prompt']}]({name}.png)")
    for stem in ("4_bench", "5_bench_against"):
        if rows := facts.get(STEPS[stem]):
            parts += [f"## {STEPS[stem]}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def _table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)


def _cell(value: object) -> str:
    """A value as the text of one table cell."""
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= 300 else f"{text[:300]} …"


# On the rented machine


def run_here() -> None:
    """Run every notebook on this machine, each in its own kernel."""
    import nbclient
    import nbformat

    for stem, notebook in notebooks().items():
        print(stem, flush=True)
        ran, status, began = nbformat.from_dict(notebook), 0, time.monotonic()
        try:
            nbclient.NotebookClient(ran, timeout=LIMIT, allow_errors=True).execute()
        except Exception as error:  # a timeout or a dead kernel must not stop the other steps
            status = 124 if isinstance(error, nbclient.exceptions.CellTimeoutError) else 1
            print(error)
        record = {"status": status, "seconds": round(time.monotonic() - began)}
        Path(f"{stem}_output.ipynb").write_text(nbformat.writes(ran), encoding="utf-8")
        Path(f"{stem}.json").write_text(json.dumps(record), encoding="utf-8")


def describe() -> None:
    """Report the machine; fails without an NVIDIA GPU."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    shown = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    name, memory, driver = shown.splitlines()[0].split(", ")
    facts = {"GPU": f"{name}, {memory}", "driver": driver, "Python": platform.python_version()}
    for package in ("torch", "ipywidgets", "ipykernel"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            facts[package] = metadata.version(package)
    if release := os.environ.get("COLAB_RELEASE_TAG"):
        facts["Colab's release"] = release
    _report("machine", facts)


def paint() -> None:
    """Paint with official models; report speed, memory and loss."""
    import torch

    import vqclip_nb as vq

    run = vq.Run(vq.Settings(**PAINTED))
    torch.cuda.reset_peak_memory_stats()
    losses = [iterate.loss for iterate in run]
    run.images()[0].save(PICTURE)
    painting = {
        "precision": str(run.models.vqgan.dtype).replace("torch.", ""),
        "crops": PAINTED["cutn"],
        "iterations": len(losses),
        "seconds": f"{run.seconds:.1f}",
        "it/s": f"{len(losses) / run.seconds:.2f}",
        "peak GPU memory": f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB",
        "first loss": f"{losses[0]:.4f}",
        "last loss": f"{losses[-1]:.4f}",
    }
    _report("painting", painting)
    del run  # Colab's kernel keeps running, and the benchmark needs the memory
    gc.collect()
    torch.cuda.empty_cache()
    if not losses[-1] < losses[0]:
        raise RuntimeError(f"The loss did not fall: from {losses[0]:.4f} to {losses[-1]:.4f}.")


def bench(against: str = "") -> None:
    """Report the rows of `vqclip bench`, alone or against a public loop."""
    if against and util.find_spec("kornia") is None:
        extra = [sys.executable, "-m", "pip", "install", "-q", "vqclip-nb[bench]"]
        subprocess.run(extra, check=True)
    rows, problems = [], []
    for size in SIZES:  # one process each, so that running out of memory loses one row only
        command = [sys.executable, "-m", "vqclip_nb", *bench_words(size, against)]
        done = subprocess.run(command, capture_output=True, text=True)
        table = [line for line in done.stdout.splitlines() if line.startswith("|")]
        rows += table[2:] if rows else table
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            problems.append(f"{size} pixels: {said[-1]}")
    _report(STEPS["5_bench_against" if against else "4_bench"], rows)
    if problems:
        raise RuntimeError("; ".join(problems))


def bench_words(size: int, against: str) -> list[str]:
    """The arguments of `vqclip` for one measurement."""
    words = ["bench", *BENCHED, "--device", "cuda", "--size", str(size)]
    return [*words, "--against", against] if against else words


def _report(name: str, value: object) -> None:
    """Print a result as a line for `_facts`."""
    print(MARK + json.dumps({name: value}), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
