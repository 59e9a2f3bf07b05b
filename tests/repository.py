"""Where the checkout lies, for tests that read its documents or run its example DAGs."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = REPOSITORY / "example_dags"
