"""Load google.colab before the first cell runs, as on Colab."""

import google.colab  # noqa: F401
