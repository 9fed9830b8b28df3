"""Colab's kernels have its module loaded before the first cell runs."""

import google.colab  # noqa: F401
