"""Limits on bodies and on the number of requests, and errors that reveal nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from participant_steps import enter_study
from starlette.testclient import TestClient
from study_requests import SECRET, answer_body, generous_limiters, link_query

from asccl.errors import StudyError
from asccl.study import session
from asccl.study.studies import renew_open_link
from asccl.study.votes import read_votes
from asccl.study.web.middleware import FAILURE_TEXT, MAX_BODY_BYTES
from asccl.study.web.serve import build_app
from asccl.web.rate_limiter import RateLimiter


def form_chunks() -> Iterator[bytes]:
    for _ in range(40):
        yield b"a=" + b"x" * 4096 + b"&"


@pytest.mark.parametrize("path", ["answer", "consent", "admin/login"])
def test_a_body_that_is_too_long_is_refused(store, new_study, web, path):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    body = json.dumps({**answer_body(study_id, token, 1), "key": "k" * MAX_BODY_BYTES}).encode()
    assert web.post(f"/study/{path}", content=body).status_code == 413
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert web.post(f"/study/{path}", content=form_chunks(), headers=form).status_code == 413
    assert read_votes(store, study_id) == []


def test_an_unexpected_error_reveals_nothing(store, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("secret detail in /srv/somewhere")

    monkeypatch.setattr(session, "open_session", fail)
    with TestClient(build_app(lambda: store), raise_server_exceptions=False) as client:
        response = client.get("/study", params={"s": "x", "p": "y"})
    assert (response.status_code, response.text) == (500, FAILURE_TEXT)
    assert response.headers["referrer-policy"] == "no-referrer"


def test_a_rate_limiter_counts_each_key_alone():
    limiter = RateLimiter(rate=0.0, burst=2)
    assert [limiter.allows(key) for key in "aaab"] == [True, True, False, True]


def test_invalid_links_are_limited_and_working_links_are_not(store, new_study):
    study_id = new_study(store)
    link = link_query(study_id, enter_study(store, study_id))
    limiters = generous_limiters(invalid_links=RateLimiter(rate=0, burst=2))
    with TestClient(build_app(lambda: store, limiters=limiters)) as web:
        invalid = [web.get("/study/screen", params=link_query("A" * 11, "x")).status_code for _ in range(3)]
        assert invalid == [404, 404, 429]
        assert web.get("/study/screen", params=link).status_code == 200


def test_requests_of_a_link_are_limited(store, new_study):
    study_id = new_study(store)
    link = link_query(study_id, enter_study(store, study_id))
    limiters = generous_limiters(requests=RateLimiter(rate=0, burst=1))
    with TestClient(build_app(lambda: store, limiters=limiters)) as web:
        assert [web.get("/study/screen", params=link).status_code for _ in range(2)] == [200, 429]


def test_log_ins_are_limited(store, monkeypatch):
    monkeypatch.setenv("ASCCL_STUDY_SECRET", SECRET)
    limiters = generous_limiters(logins=RateLimiter(rate=0, burst=1))
    with TestClient(build_app(lambda: store, limiters=limiters)) as web:
        statuses = [web.post("/study/admin/login", data={"secret": "wrong"}).status_code for _ in range(2)]
    assert statuses == [403, 429]


def test_wrong_secrets_do_not_lock_the_right_one_out(store, monkeypatch):
    monkeypatch.setenv("ASCCL_STUDY_SECRET", SECRET)
    limiters = generous_limiters(logins=RateLimiter(rate=0, burst=1))
    with TestClient(build_app(lambda: store, limiters=limiters), follow_redirects=False) as web:
        statuses = [web.post("/study/admin/login", data={"secret": "wrong"}).status_code for _ in range(3)]
        assert web.post("/study/admin/login", data={"secret": SECRET}).status_code == 303, statuses


def test_a_secret_that_could_be_guessed_is_refused(store, monkeypatch):
    monkeypatch.setenv("ASCCL_STUDY_SECRET", "sesame")
    with pytest.raises(StudyError, match="shorter than"):
        store.secret_hash()


def test_one_address_cannot_take_all_places_of_a_study(store, new_study):
    study_id = new_study(store)
    link = link_query(study_id, renew_open_link(store, study_id))
    limiters = generous_limiters(address_joins=RateLimiter(rate=0, burst=2))
    with TestClient(build_app(lambda: store, limiters=limiters), follow_redirects=False) as web:
        assert [web.post("/study/join", data=link).status_code for _ in range(3)] == [303, 303, 429]
