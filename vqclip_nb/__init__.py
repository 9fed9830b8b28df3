"""Paint pictures from sentences with VQGAN and CLIP, in a notebook, a terminal or a program.

The public names are those of `__init__.pyi`, which type checkers read too. Each is imported at its
first use, so that wrong settings are reported before torch is imported.
"""

import os
import pkgutil
import re
from importlib import import_module

# Threads of GNU OpenMP spin while they wait for each other, 300,000 times, which makes runs on a
# busy machine many times slower. 10,000 are as fast on an idle one. `import torch` reads this.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
_STUB = pkgutil.get_data(__name__, "__init__.pyi").decode()
_HOMES = {name: home for home, name in re.findall(r"^from (\S+) import (\w+)", _STUB, re.MULTILINE)}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"vqclip_nb has no {name!r}: it has {', '.join(__all__)}.")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
