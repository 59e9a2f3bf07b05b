"""What package indexes show of this project: its addresses, and a README whose links work outside the repository.

The addresses stand in pyproject.toml, in the table of this hook, and nowhere else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: A Markdown link or image whose target is a file of the repository.
_RELATIVE = re.compile(r"(?P<image>!?)\[(?P<label>[^\]]*)\]\((?![a-z]+:|#)(?P<target>[^)\s]+)\)")


def with_absolute_links(text: str, repository: str) -> str:
    """Point the relative links of a Markdown page to the repository.

    :param text: the page.
    :param repository: the repository's address without a final slash; while it is empty, a link becomes its label and
        an image is left out.
    """

    def absolute(link: re.Match[str]) -> str:
        image, label, target = link.group("image", "label", "target")
        if not repository:
            return "" if image else label
        return f"{image}[{label}]({repository}/{'raw' if image else 'blob'}/HEAD/{target})"

    return _RELATIVE.sub(absolute, text)


class ProjectMetadata(MetadataHookInterface):
    """Fills in the fields ``readme`` and ``urls``, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the fields.

        :param metadata: the ``[project]`` table, to be changed in place.
        """
        repository, documentation = (self.config[name].rstrip("/") for name in ("repository", "documentation"))
        urls = {"Documentation": documentation, "Repository": repository}
        if repository:
            urls |= {"Changelog": f"{repository}/blob/HEAD/CHANGELOG.md", "Issues": f"{repository}/issues"}
        metadata["urls"] = {label: address for label, address in urls.items() if address}
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": with_absolute_links(text, repository)}
