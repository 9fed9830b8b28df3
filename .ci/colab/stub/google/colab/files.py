"""Downloads: a line that says what the browser would save."""

from pathlib import Path


def download(filename: str) -> None:
    """As Colab's, which raises where there is no such file."""
    if not Path(filename).is_file():
        raise FileNotFoundError(f"Cannot find file: {filename}")
    print(f"[downloaded {Path(filename).name}]")
