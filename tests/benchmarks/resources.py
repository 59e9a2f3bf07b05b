"""What a process has used so far. Imports nothing of ours, so that every measured process can import it."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

MEGABYTE = 1_000_000


def peak_bytes() -> int:
    """The most memory that this process ever held in RAM."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux that begins with the memory of the process which started this one.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_seconds() -> float:
    """CPU time of this process, in user and system mode, over all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
