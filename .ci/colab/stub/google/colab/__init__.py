"""Colab's own module, as far as this project's notebooks meet it; see `.ci/colab/run`."""

from google.colab import drive, files, output, userdata

__all__ = ["drive", "files", "output", "userdata"]
