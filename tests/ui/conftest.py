from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ui.airflow_database import Pages, pages, tables


@pytest.fixture(scope="module")
def _tables() -> Iterator[None]:
    with tables():
        yield


@pytest.fixture
def site(_tables: None) -> Iterator[Pages]:
    """The pages, for a reader of the DAGs ``mine`` and ``also_mine``."""
    with pages({"mine", "also_mine"}) as made:
        yield made


@pytest.fixture
def site_below_a_path(_tables: None) -> Iterator[Pages]:
    """The same, where ``[api] base_url`` is ``https://acme.com/air``."""
    with pages({"mine"}, "/air") as made:
        yield made
