"""What the tests of images share: one store of containers for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.image import bases
from tests.image.containers import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give buildah and podman with a store that is removed at the end."""
    bases.needed()
    made = Engine(tmp_path_factory.mktemp("engine"))
    try:
        yield made
    finally:
        made.clean()
