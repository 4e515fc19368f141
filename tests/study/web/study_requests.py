"""What browsers send to the study pages, and what no response may contain."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

from asccl.study.participants import invite_participants
from asccl.study.store import Store
from asccl.study.web.limiters import StudyLimiters
from asccl.web.rate_limiter import RateLimiter

HOSTILE_TEXT = (
    "'; DROP TABLE votes; -- <script>alert(1)</script> {{7*7}} \"><img src=x onerror=alert(1)> ../../etc/passwd"
)
SECRET = "open, sesame"


def generous_limiters(**limiters: RateLimiter) -> StudyLimiters:
    """Limiters that no test reaches, except those in `limiters`."""
    names = ("requests", "invalid_links", "joins", "address_joins", "logins")
    return StudyLimiters(**{name: RateLimiter(rate=1000, burst=1000) for name in names} | limiters)


def invite(store: Store, study_id: str) -> str:
    """Invite a participant. Returns the token."""
    ((_, token),) = invite_participants(store, study_id, ["P01"])
    return token


def link_query(study_id: str, token: str) -> dict[str, str]:
    return {"s": study_id, "p": token}


def answer_body(study_id: str, token: str, /, position: object, **changes: object) -> dict[str, object]:
    answer = {"key": f"k{position!s:019}", "answer": "left", "plays_left": 1, "plays_right": 1, "mode": "together"}
    return {**link_query(study_id, token), "position": position, **answer, **changes}


def assert_reveals_nothing(response) -> None:
    """No trace of the machine, whatever happened."""
    text = response.text
    if response.status_code >= 500:
        assert text == "Something went wrong. Please reload the page."
    for trace in ("Traceback", "site-packages", "/srv/", "/tmp/", "sqlite", "psycopg", ".py"):
        assert trace not in text


def log_in(web: TestClient, secret: str = SECRET):
    response = web.post("/study/admin/login", data={"secret": secret})
    if "set-cookie" in response.headers:
        web.cookies.set("asccl_study_admin", re.search(r"=([^;]+)", response.headers["set-cookie"])[1])
    return response


def read_form_token(web: TestClient, path: str) -> str:
    return re.search(r'name="form" value="([^"]+)"', web.get(path).text)[1]
