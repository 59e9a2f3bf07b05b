"""A folder for the rows of one load, in the folder for temporary files (``TMPDIR``), readable by this user alone.

A process that is killed cannot remove its folder. So each folder is locked for as long as its process lives, and the
next load on the machine removes those that nobody locks.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

PREFIX = "salesforce-jwt-load-"
#: A folder that is not locked yet: it gets its name with the lock, so that nobody takes it for one of the dead.
_NEW = "salesforce-jwt-new-"


class ScratchFolder:
    """A locked folder, made at once. Before that, the folders of dead processes are removed."""

    def __init__(self) -> None:
        sweep()
        made = Path(tempfile.mkdtemp(prefix=_NEW))
        self._lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):  # a file system without locks: nobody else can lock it there either
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        #: Where it is.
        self.path = made.rename(made.with_name(PREFIX + made.name.removeprefix(_NEW)))

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep() -> None:
    """Remove the folders of dead processes of this user."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone by now
            continue
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                log.info("Removed %s, which a load that was killed had left", folder)
        except OSError:  # its process lives, or the file system has no locks
            continue
        finally:
            os.close(lock)
