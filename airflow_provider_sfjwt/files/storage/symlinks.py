"""The local file system for globs: links to folders are followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem


class FollowedLinks(LocalFileSystem):  # type: ignore[misc]
    """Lists a link to a folder as that folder, unless it leads back to a folder that the link is in."""

    def ls(self, path: Any, detail: bool = False, **kwargs: Any) -> list[Any]:
        """List a folder.

        :param path: the folder.
        :param detail: whether to return entries; otherwise names.
        """
        entries: list[dict[str, Any]] = super().ls(path, detail=True, **kwargs)
        for entry in entries:
            if entry.get("islink") and Path(entry["name"]).is_dir() and not _leads_back(Path(entry["name"])):
                entry["type"] = "directory"
        return entries if detail else [entry["name"] for entry in entries]


def _leads_back(link: Path) -> bool:
    target = link.resolve()
    return any(folder.resolve() == target for folder in link.parents)
