"""The study pages behind a test client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from study_requests import SECRET, generous_limiters

from asccl.study.store import Store
from asccl.study.web.serve import build_app


@pytest.fixture
def sqlite_web(sqlite: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, TestClient]]:
    """A store on SQLite and its pages."""
    monkeypatch.setenv("ASCCL_STUDY_SECRET", SECRET)
    with TestClient(build_app(lambda: sqlite, limiters=generous_limiters()), follow_redirects=False) as client:
        yield sqlite, client


@pytest.fixture
def web(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("ASCCL_STUDY_SECRET", SECRET)
    with TestClient(build_app(lambda: store, limiters=generous_limiters()), follow_redirects=False) as client:
        yield client
