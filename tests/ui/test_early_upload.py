"""The end of the page's start writes no file where there is none to restore: it could overwrite an early upload."""

from __future__ import annotations

import pytest
from visitor import Visitor

from asccl.ui.edit_tab import RESTORE_SOURCE

pytestmark = pytest.mark.browser

NO_UPDATE = {"__type__": "update"}


@pytest.fixture
def page(shared_page, chromium):
    visitor = Visitor(chromium, shared_page.url)
    yield visitor.page
    visitor.close()
    assert visitor.errors == []


@pytest.mark.parametrize(
    ("earlier", "source", "output"),
    [
        (None, None, NO_UPDATE),
        (None, {"path": "new.mp4"}, NO_UPDATE),
        ({"path": "old.mp4"}, {"path": "new.mp4"}, NO_UPDATE),
        ({"path": "old.mp4"}, None, {"path": "old.mp4"}),
    ],
)
def test_only_a_file_before_a_reload_is_restored(page, earlier, source, output):
    page.evaluate("(earlier) => { window.asccl.earlierSource = earlier; }", earlier)
    assert page.evaluate(RESTORE_SOURCE, source) == output
