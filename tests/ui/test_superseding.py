"""A newer preview of a page ends the work for an older one, but not for the same one."""

from __future__ import annotations

from asccl.ui.background import Superseding


def test_a_newer_request_supersedes_the_older_one():
    previews = Superseding()
    previews.begin("page", ("happy", 1.0))
    older = previews.latest("page")
    previews.begin("page", ("sad", 1.0))
    assert older.is_set()


def test_an_equal_request_goes_on_with_the_work_of_the_first():
    previews = Superseding()
    previews.begin("page", ("happy", 1.0))
    first = previews.latest("page")
    previews.begin("page", ("happy", 1.0))
    assert previews.latest("page") is first
    assert not first.is_set()


def test_a_request_of_another_page_supersedes_nothing():
    previews = Superseding()
    previews.begin("page", "happy")
    previews.begin("other", "happy")
    assert not previews.latest("page").is_set()
