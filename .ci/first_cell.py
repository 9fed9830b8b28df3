# @title 1 · Install { display-mode: "form" }
import importlib.util
import pathlib
import subprocess
import sys

ADDRESS = ""


def find_package():
    """What to install: the clone around this notebook, a zip of it, or the repository."""
    here = pathlib.Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "vqclip_nb" / "__init__.py").is_file():
            return str(folder)
    drive = pathlib.Path("/content/drive/MyDrive")
    for folder in (here, pathlib.Path("/content"), drive):
        if zips := sorted(folder.glob("vqclip_nb*.zip")):
            return str(zips[-1])
    if ADDRESS:
        return f"{ADDRESS}/archive/refs/heads/main.zip"
    if "google.colab" in sys.modules and not drive.is_dir():
        from google.colab import drive as google_drive

        google_drive.mount("/content/drive")
        return find_package()
    raise RuntimeError(
        "vqclip_nb is not here: open this notebook in a clone of the project, or put a zip of the "
        "project, vqclip_nb.zip, beside it or into your Google Drive, and run this cell again."
    )


if importlib.util.find_spec("vqclip_nb") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", find_package()], check=True)

import vqclip_nb as vq

print(vq.describe_machine())
