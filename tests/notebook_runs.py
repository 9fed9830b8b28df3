"""Runs notebooks for the tests, shortened: fewer iterations and shorter films show that they run."""

import contextlib
import secrets
import socket
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
    """The notebook after it ran in a folder, changed in place."""
    # By default the ports are among those that the system gives to any other process; one that was
    # free when it was chosen may be taken before the kernel listens there, which then never answers.
    names = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    own = Config({"KernelManager": {"cache_ports": False, **ports}})
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=300, resources=resources, config=own)
    # What widgets capture belongs to the cell: otherwise nbclient answers the kernel through a socket
    # on which it waits, and may then miss the kernel's own answer.
    client.widget_registry.clear()
    client.execute()
    return notebook


def _free_ports(count: int) -> set[int]:
    """Free ports below those that systems give to whoever asks for any."""
    found = set()
    while len(found) < count:
        port = secrets.choice(range(15_000, 30_000))
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            found.add(port)
    return found
