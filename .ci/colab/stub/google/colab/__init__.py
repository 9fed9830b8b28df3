"""A stub of Colab's module, with what this project's notebooks use; see `.ci/colab/run`."""

from google.colab import drive, files, output, userdata

__all__ = ["drive", "files", "output", "userdata"]
