"""Runs notebooks for the tests, shortened: fewer iterations and shorter films show that they run."""

import tempfile
from pathlib import Path

import nbclient
import nbformat
from traitlets.config import Config

SHORTER = {
    '"total_iter": 20, "im': '"total_iter": 4, "im',  # the prompt lab's sixty pictures
    '"total_iter": 15}': '"total_iter": 3}',
    '"total_iter": 40}': '"total_iter": 4}',
    '"total_iter": 60}': '"total_iter": 8}',
    "total_iter=60)": "total_iter=8)",
    "total_iter=90, show_step=15": "total_iter=30",
    "Settings(total_iter=30": "Settings(total_iter=5",
    'start="codes", total_iter=60': 'start="codes", total_iter=20',  # the video notebook's
    "seed=0, total_iter=30": "seed=0, total_iter=10",
    "seconds=1.5,": "seconds=0.5,",
    "frames=72,": "frames=18,",
}


def shortened(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with its long runs shortened, changed in place."""
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short)
    return notebook


def executed(notebook: nbformat.NotebookNode, folder: Path | str) -> nbformat.NotebookNode:
    """The notebook after it ran in a folder, changed in place.

    Its kernel is spoken to through files: a port that was free when it was chosen may be taken by
    another process before the kernel listens there.
    """
    with tempfile.TemporaryDirectory() as sockets:
        files = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
        resources = {"metadata": {"path": str(folder)}}
        nbclient.NotebookClient(notebook, timeout=600, resources=resources, config=files).execute()
    return notebook
