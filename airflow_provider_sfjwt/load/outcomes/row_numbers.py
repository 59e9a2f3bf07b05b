"""Whether the results of a load would lie among the files that it loads, and be taken for rows by a retry."""

from __future__ import annotations

import os.path
import posixpath
import re
from collections.abc import Sequence
from typing import Any

from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path
from airflow_provider_sfjwt.load.outcomes.results_folder import SAMPLE_NAMES
from airflow_provider_sfjwt.load.reading.source import ROWS
from airflow_provider_sfjwt.load.reading.source_argument import WILDCARD, paths_of


def results_among(results_path: str, source: Any, files: Sequence[str]) -> str | None:
    """Tell why results must not go into a folder.

    :param results_path: the folder.
    :param source: of the load, as the task names it.
    :param files: that were found by it.
    :return: what is wrong with the folder, or None.
    """
    from fsspec.utils import glob_translate

    if tuple(files) == (ROWS,):
        return None
    storage, folder = _place(results_path)
    for file in files:
        other, path = _place(file)
        if other == storage and f"{posixpath.dirname(path)}/".startswith(f"{folder.rstrip('/')}/"):
            return f"is the folder of the source's {file}, or one above it"
    for each in filter(WILDCARD.search, paths_of(source)):
        other, pattern = _place(each)
        matches = re.compile(glob_translate(pattern)).match
        if other == storage and any(matches(f"{folder.rstrip('/')}/{name}") for name in SAMPLE_NAMES):
            return f"would hold files whose names the source's {each} matches"
    return None


def _place(text: str) -> tuple[str, str]:
    """The kind of storage, and the path there without detours; what comes behind a wildcard stays as it is."""
    path = storage_path(text)
    if not is_local(path):
        return path.protocol, posixpath.normpath(path.path)
    fixed = path.path
    if wildcard := WILDCARD.search(fixed):
        fixed = fixed[: wildcard.start()].rpartition("/")[0] + "/"
    rest = path.path[len(fixed) :]
    return "file", posixpath.join(os.path.realpath(fixed), rest) if rest else os.path.realpath(fixed)
