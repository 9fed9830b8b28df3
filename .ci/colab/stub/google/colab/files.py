"""Downloads: print which file the browser would save."""

from pathlib import Path


def download(filename: str) -> None:
    """Print a line; raise as Colab does if there is no such file."""
    if not Path(filename).is_file():
        raise FileNotFoundError(f"Cannot find file: {filename}")
    print(f"[downloaded {Path(filename).name}]")
