"""Shortens notebooks for the tests: fewer iterations and shorter films show that they run."""

import nbformat

SHORTER = {
    '"total_iter": 60': '"total_iter": 20',  # the prompt lab's sixty pictures
    "Settings(total_iter=60": "Settings(total_iter=20",
    "total_iter=120, show_step=20": "total_iter=60",
    "seed=3, total_iter=100": "seed=3, total_iter=30",  # the video notebook's
    "seed=0, total_iter=60": "seed=0, total_iter=20",
    "seconds = 1.5  #": "seconds = 0.5  #",
    "frames = 72": "frames = 18",
}


def shortened(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with its long runs shortened, changed in place."""
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short)
    return notebook
