"""A summary of the machine: versions, device, memory, disk."""

from __future__ import annotations

import os
import platform
import shutil

import torch

from vqclip_nb.models.loading import pick_device


def describe_machine() -> str:
    """Three lines: versions; the device that `auto` selects; memory and disk space."""
    from vqclip_nb import __version__

    device, giga = pick_device("auto"), 2**30
    lines = [
        f"vqclip_nb {__version__}, torch {torch.__version__}, Python {platform.python_version()}"
    ]
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        lines.append(f"GPU: {name}, {free / giga:.1f} of {total / giga:.1f} GiB free")
    else:
        lines.append(
            f"No CUDA GPU: painting on {device.type} with {torch.get_num_threads()} threads"
        )
    kept = []
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # Windows has none
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        kept.append(f"{memory / giga:.0f} GiB of memory")
    kept.append(f"{shutil.disk_usage('.').free / giga:.0f} GiB of disk free")
    return "\n".join([*lines, ", ".join(kept)])
