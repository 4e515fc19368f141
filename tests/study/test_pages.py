"""The pages over HTTP: what a browser sends, and what somebody sends who means no good."""

from __future__ import annotations

import io
import json
import re
import time
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from walker import enter, finish

from asccl.study import people, session, studies, tokens
from asccl.study.results import read_votes
from asccl.study.web import admin as administrator
from asccl.study.web import pages as participant
from asccl.study.web.guard import BODY, RateLimiter
from asccl.study.web.serve import pages, study_routes

pytestmark = pytest.mark.usefixtures("unhurried")
NASTY = "'; DROP TABLE votes; -- <script>alert(1)</script> {{7*7}} \"><img src=x onerror=alert(1)> ../../etc/passwd"


@pytest.fixture
def web(store, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("ASCCL_STUDY_SECRET", "sesame")
    for name in ("STEADY", "STRANGERS", "JOINS"):
        monkeypatch.setattr(participant, name, RateLimiter(1000, 1000))
    monkeypatch.setattr(administrator, "LOGINS", RateLimiter(1000, 1000))
    with TestClient(pages(lambda: store), follow_redirects=False) as client:
        yield client


def link(study: str, token: str) -> dict[str, str]:
    return {"s": study, "p": token}


def body(study: str, token: str, /, position: object, **other: object) -> dict[str, object]:
    told = {"key": f"k{position!s:019}", "answer": "left", "plays_left": 1, "plays_right": 1, "mode": "together"}
    return {**link(study, token), "position": position, **told, **other}


def harmless(response) -> None:
    """No trace of the machine, whatever happened."""
    text = response.text
    assert response.status_code < 500 or text == "Something went wrong. Please reload the page."
    for secret in ("Traceback", "site-packages", "/srv/", "/tmp/", "sqlite", "psycopg", ".py"):
        assert secret not in text


def test_the_walk_of_a_participant(store, make, web):
    study = make(store)
    ((_, token),) = people.invite(store, study, ["P01"])
    where = link(study, token)
    first = web.get("/study", params=where)
    assert first.status_code == 200 and "What is stored" in first.text
    assert first.headers["referrer-policy"] == "no-referrer" and first.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in first.headers["content-security-policy"]
    assert web.post("/study/consent", data=where).headers["location"].startswith("../study?")  # without the tick
    assert "What is stored" in web.get("/study", params=where).text
    assert web.get("/study/screen", params=where).json() == {"reason": "order"}
    web.post("/study/consent", data={**where, "agree": "yes"})
    shape, beeps = session.open_session(store, study, token).puzzle()
    with wave.open(io.BytesIO(web.get("/study/beeps", params=where).content)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(0.6 * beeps, rel=0.01)
    failed = web.post("/study/check", data={**where, "shape": "none", "beeps": "1"})
    assert "failed=check_failed" in failed.headers["location"]
    web.post("/study/check", data={**where, "shape": shape, "beeps": str(beeps)})
    assert 'id="trial"' in web.get("/study", params=where).text
    screen = web.get("/study/screen", params=where).json()["screen"]
    clip = web.get("/study/clip", params={**where, "c": screen["clips"][0]["clip"]}, headers={"Range": "bytes=0-9"})
    assert (clip.status_code, clip.headers["content-type"], len(clip.content)) == (206, "video/mp4", 10)
    assert not {"etag", "last-modified", "content-disposition"} & set(clip.headers)
    while screen:
        reply = web.post("/study/answer", json=body(study, token, screen["position"]))
        assert reply.status_code == 200
        screen = reply.json()["screen"]
    done = web.get("/study", params=where).text
    with store.read() as connection:
        (person,) = people.everybody(store, connection, study)
    assert person.stage == "finished" and person.code in done and len(person.code) == tokens.CODE
    assert web.get("/study/screen", params=where).json() == {"screen": None}


def test_nothing_on_the_wire_tells_the_method(store, make, web):
    study = make(store, repeats=0)
    one, two = enter(store, study), enter(store, study)
    seen = set()
    for token in (one, two):
        page, screen = web.get("/study", params=link(study, token)), web.get("/study/screen", params=link(study, token))
        told = page.text + screen.text + str(page.headers) + str(screen.headers)
        for word in ("NED", "ASCCL", "broken", "identical", "happy", "sad-", "repeat"):
            assert word not in told
        names = {clip["clip"] for clip in screen.json()["screen"]["clips"]}
        assert not seen & names  # another name for everybody
        seen |= names
        for name in names:
            clip = web.get("/study/clip", params={**link(study, token), "c": name})
            assert b"NED" not in clip.content and b"ASCCL" not in clip.content
            assert not any(method in str(clip.headers) for method in ("NED", "ASCCL"))


def test_forged_foreign_replayed_and_revoked_links(store, make, web):
    study, other = make(store), make(store)
    token = enter(store, study)
    stranger = enter(store, other)
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    middle = token[:30] + ("A" if token[30] != "A" else "B") + token[31:]
    mixed = token[:22] + stranger[22:]
    bad = [
        flipped, middle, mixed, stranger, token[:-1], token + "A", "", "A" * 65, token.swapcase(), NASTY, "\0",
        "é" * 65,
        store.signer.participant(other, token[:22], 1), store.signer.participant(study, token[:22], 2),
        tokens.Signer(b"guess").participant(study, token[:22], 1), store.signer.open_link(study, 0),
        store.signer.open_link(study, 1),
    ]  # fmt: skip
    for one in bad:
        for reply in (
            web.get("/study", params=link(study, one)),
            web.get("/study/screen", params=link(study, one)),
            web.get("/study/clip", params={**link(study, one), "c": "x"}),
            web.post("/study/answer", json=body(study, one, 1)),
            web.post("/study/consent", data={**link(study, one), "agree": "yes"}),
            web.post("/study/withdraw", data=link(study, one)),
            web.post("/study/join", data=link(study, one)),
        ):
            assert reply.status_code == 404, one
            harmless(reply)
    for s in (other, "", NASTY, "A" * 11, "../" * 3):
        assert web.get("/study/screen", params=link(s, token)).status_code == 404
    people.revoke(store, study, token[:22])
    assert web.get("/study", params=link(study, token)).status_code == 404
    assert web.post("/study/answer", json=body(study, token, 1)).status_code == 404
    assert read_votes(store, study) == []


def test_nobody_votes_twice_early_out_of_order_or_for_another(store, make, web):
    study = make(store)
    token, other = enter(store, study), enter(store, study)
    assert web.post("/study/answer", json=body(study, token, 1)).status_code == 409  # not shown yet
    web.get("/study/screen", params=link(study, token))
    assert web.post("/study/answer", json=body(study, token, 2)).status_code == 409
    for wrong in (
        {"plays_right": 0}, {"plays_left": -1}, {"plays_left": "1"}, {"plays_left": 1e9}, {"plays_left": True},
        {"answer": "cannot"}, {"answer": "NED"}, {"answer": NASTY}, {"answer": None}, {"answer": ["left"]},
        {"mode": "x"}, {"key": "short"}, {"key": "k" * 19 + "\0"}, {"key": NASTY[:50]},
        {"key": "k" * 100}, {"position": 99}, {"position": "1"}, {"position": 2**70},
    ):  # fmt: skip
        reply = web.post("/study/answer", json=body(study, token, **{"position": 1, **wrong}))
        assert reply.status_code == 422, wrong
        harmless(reply)
    assert read_votes(store, study) == []
    assert web.post("/study/answer", json=body(study, token, 1)).status_code == 200
    assert web.post("/study/answer", json=body(study, token, 1)).status_code == 200  # the same again
    assert web.post("/study/answer", json=body(study, token, 1, key="z" * 20, answer="right")).status_code == 409
    (vote,) = read_votes(store, study)
    assert vote["participant_id"] == token[:22] and vote["answer"] == "left"
    clip = web.get("/study/screen", params=link(study, token)).json()["screen"]["clips"][0]["clip"]
    assert web.get("/study/clip", params={**link(study, other), "c": clip}).status_code == 404


def test_an_answer_before_the_clips_can_have_ended_does_not_count(store, make, web, monkeypatch):
    study = make(store)
    token = enter(store, study)
    monkeypatch.setattr(session, "MIN_WATCH_FRACTION", 100.0)
    web.get("/study/screen", params=link(study, token))
    reply = web.post("/study/answer", json=body(study, token, 1))
    assert (reply.status_code, reply.json()) == (422, {"reason": "early"})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"s": {"a": 1}}'])
def test_bodies_that_are_no_answer(store, web, content):
    for path in ("answer", "consent", "check", "withdraw", "join"):
        reply = web.post(f"/study/{path}", content=content, headers={"Content-Type": "application/json"})
        assert reply.status_code in (404, 422)
        harmless(reply)


def test_oversized_bodies_end_early(store, make, web):
    study = make(store)
    token = enter(store, study)
    big = json.dumps({**body(study, token, 1), "key": "k" * BODY}).encode()

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b"a=" + b"x" * 4096 + b"&"

    for path in ("answer", "consent", "admin/login"):
        assert web.post(f"/study/{path}", content=big).status_code == 413
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert web.post(f"/study/{path}", content=chunks(), headers=form).status_code == 413
    assert read_votes(store, study) == []


def test_sql_and_html_in_every_text_are_only_text(store, clips, web):
    from asccl.study.manifest import Item, read_items
    from asccl.study.plan import from_dict

    items = [
        Item(
            NASTY[:150], {"m" + NASTY[:90]: i.outputs["NED"], "n" + NASTY[:90]: i.outputs["ASCCL"]}, "sad", "", i.source
        )
        for i in read_items(clips)[:1]
    ]
    asked = [{"id": "q", "title": NASTY, "text": NASTY}]
    plan = {"title": NASTY, "consent": NASTY, "contact": NASTY, "texts": {"next": NASTY, "welcome": NASTY}}
    study, _ = studies.create(store, from_dict({**plan, "questions": asked, "repeats": 0}), items)
    token = enter(store, study, NASTY[:190])
    told = [web.get("/study", params=link(study, token))]
    ((_, guest),) = people.invite(store, study, ["x"])
    told.append(web.get("/study", params=link(study, guest)))
    open_token = studies.renew_open_link(store, study)
    told.append(web.get("/study", params=link(study, open_token)))
    finish(store, study, token)
    login(web)
    for path in ("list", f"one?s={study}", f"results?s={study}", f"results?s={study}&r=all", f"one?s={NASTY}"):
        told.append(web.get(f"/study/admin/{path}"))
    for reply in told:
        harmless(reply)
        assert "<script>alert" not in reply.text and "<img src=x" not in reply.text and "49" not in reply.text[:200]
    assert told[0].text.count("<script") == 2
    for kind in ("csv", "jsonl", "json", "md", "tex"):
        reply = web.get(f"/study/admin/file?s={study}&k={kind}")
        assert reply.status_code == 200 and "attachment" in reply.headers["content-disposition"]
    assert len(read_votes(store, study)) > 0


@pytest.mark.parametrize(
    "name", ["../study.css", "..%2f..%2fpages.py", "%2e%2e/guard.py", "study.css%00", "/etc/passwd", "x"]
)
def test_static_files_are_a_closed_list(web, name):
    reply = web.get(f"/study/static/{name}")
    assert reply.status_code == 404
    harmless(reply)


def test_an_open_link_makes_personal_ones_until_it_is_renewed(store, make, web):
    study = make(store, max_participants=2)
    shared = studies.renew_open_link(store, study)
    assert "Take part" in web.get("/study", params=link(study, shared)).text
    first = web.post("/study/join", data=link(study, shared)).headers["location"]
    token = re.search(r"p=([^&]+)", first)[1]
    assert "What is stored" in web.get("/study", params=link(study, token)).text
    assert web.get("/study/screen", params=link(study, shared)).status_code == 409
    assert web.post("/study/answer", json=body(study, shared, 1)).status_code == 404
    web.post("/study/join", data=link(study, shared))
    assert web.post("/study/join", data=link(study, shared)).status_code == 403  # full
    newer = studies.renew_open_link(store, study)
    assert web.get("/study", params=link(study, shared)).status_code == 404
    assert web.get("/study", params=link(study, newer)).status_code == 200
    studies.renew_open_link(store, study, on=False)
    assert web.get("/study", params=link(study, newer)).status_code == 404


def test_withdrawing_deletes_everything_even_when_closed(store, make, web):
    study = make(store)
    token, other = enter(store, study), enter(store, study)
    finish(store, study, token)
    finish(store, study, other)
    studies.set_closed(store, study, True)
    assert web.get("/study", params=link(study, token)).status_code == 200  # the thanks page, with the way out
    assert "You have withdrawn" in web.post("/study/withdraw", data=link(study, token)).text
    assert web.get("/study", params=link(study, token)).status_code == 404
    assert {vote["participant_id"] for vote in read_votes(store, study)} == {other[:22]}


def test_a_closed_study_takes_nothing_and_a_lost_acknowledgement_is_still_given(store, make, web):
    study = make(store)
    token = enter(store, study)
    web.get("/study/screen", params=link(study, token))
    assert web.post("/study/answer", json=body(study, token, 1)).status_code == 200
    studies.set_closed(store, study, True)
    assert web.post("/study/answer", json=body(study, token, 1)).status_code == 200
    assert web.post("/study/answer", json=body(study, token, 2)).status_code == 403
    assert "closed" in web.get("/study", params=link(study, token)).text
    studies.set_closed(store, study, False)
    assert web.get("/study/screen", params=link(study, token)).status_code == 200
    past = make(store, closes="2020-01-01T00:00:00Z")
    ((_, late),) = people.invite(store, past, [""])
    assert web.get("/study", params=link(past, late)).status_code == 403


def test_a_full_study_takes_nobody_new(store, make, web):
    study = make(store, judgements_per_pair=1, questions=["realism"])
    early = enter(store, study)
    finish(store, study, enter(store, study))
    ((_, late),) = people.invite(store, study, [""])
    reply = web.post("/study/consent", data={**link(study, late), "agree": "yes"})
    assert reply.status_code == 403 and "complete" in reply.text
    assert finish(store, study, early) > 0  # who had begun may finish


def test_sound_that_is_needed(store, make, web):
    study = make(store, sound="required")
    ((_, token),) = people.invite(store, study, [""])
    session.consent(store, study, token)
    shape, _ = session.open_session(store, study, token).puzzle()
    reply = web.post("/study/check", data={**link(study, token), "shape": shape, "beeps": "none"})
    assert "check_sound_needed" in reply.headers["location"]


def test_pages_speak_the_studys_language(store, make, web):
    study = make(store, language="de")
    ((_, token),) = people.invite(store, study, [""])
    assert '<html lang="de">' in web.get("/study", params=link(study, token)).text
    assert "Dieser Link" in web.get("/study", params=link(study, "x")).text


def test_pace(monkeypatch, store, make, web):
    pace = RateLimiter(rate=0.0, most=2)
    assert [pace.allows("a") for _ in range(3)] == [True, True, False] and pace.allows("b")
    monkeypatch.setattr(participant, "STRANGERS", RateLimiter(0, 2))
    told = [web.get("/study/screen", params=link("A" * 11, "x")).status_code for _ in range(3)]
    assert told == [404, 404, 429]
    study = make(store)
    token = enter(store, study)
    assert web.get("/study/screen", params=link(study, token)).status_code == 200  # a working link still works
    monkeypatch.setattr(participant, "STEADY", RateLimiter(0, 1))
    assert web.get("/study/screen", params=link(study, token)).status_code == 200
    assert web.get("/study/screen", params=link(study, token)).status_code == 429


# the administrator


def login(web: TestClient, secret: str = "sesame"):
    reply = web.post("/study/admin/login", data={"secret": secret})
    if "set-cookie" in reply.headers:
        web.cookies.set("asccl_study_admin", re.search(r"=([^;]+)", reply.headers["set-cookie"])[1])
    return reply


def proof(web: TestClient, path: str) -> str:
    return re.search(r'name="form" value="([^"]+)"', web.get(path).text)[1]


ADMIN = ("list", "new", "job?j=x", "one?s=x", "results?s=x", "file?s=x&k=csv")


def test_without_the_secret_nothing_of_the_administrator_is_seen(store, make, web):
    study = make(store)
    token = enter(store, study)
    for forged in ("", "x", "9999999999.x", "99999999999999999999.x", store.signer.form(""), token):
        web.cookies.set("asccl_study_admin", forged)
        for path in ADMIN:
            reply = web.get(f"/study/admin/{path.replace('=x', '=' + study)}")
            assert reply.status_code == 401 and "Which is better" not in reply.text
        for path in ("make", "invite", "change", "logout"):
            assert web.post(f"/study/admin/{path}", data={"s": study, "what": "close"}).status_code == 401
    assert login(web, "wrong").status_code == 403 and login(web, NASTY).status_code == 403
    with store.read() as connection:
        assert not studies.load(connection, study).closed()


def test_the_session_is_a_strict_cookie_that_ends(store, web):
    cookie = login(web).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=" not in cookie
    known = store.secret_hash()
    assert store.signer.is_admin(store.signer.admin(known), known)
    assert not store.signer.is_admin(store.signer.admin(known), "other")
    assert not store.signer.is_admin(store.signer.admin(known, time.time() - 9 * 3600), known)


def test_a_form_from_elsewhere_changes_nothing(store, make, web):
    study = make(store)
    login(web)
    for forged in ({}, {"form": "x"}, {"form": store.signer.form("other")}):
        assert web.post("/study/admin/change", data={"s": study, "what": "close", **forged}).status_code == 403
    with store.read() as connection:
        assert not studies.load(connection, study).closed()


def test_the_administrators_changes(store, make, web):
    study = make(store)
    login(web)
    form = {"form": proof(web, f"/study/admin/one?s={study}"), "s": study}
    web.post("/study/admin/invite", data={**form, "labels": "P01\nP02\n"})
    web.post("/study/admin/invite", data={**form, "labels": "3"})
    page = web.get(f"/study/admin/one?s={study}").text
    links = re.findall(rf"value=\"http://testserver/study\?s={study}&amp;p=([\w-]+)\"", page)
    assert len(links) == 5 and web.get("/study", params=link(study, links[0])).status_code == 200
    web.post("/study/admin/change", data={**form, "what": "revoke", "who": links[0][:22]})
    assert web.get("/study", params=link(study, links[0])).status_code == 404
    web.post("/study/admin/change", data={**form, "what": "delete", "who": links[1][:22]})
    web.post("/study/admin/change", data={**form, "what": "link"})
    assert "New link, this one void" in web.get(f"/study/admin/one?s={study}").text
    web.post("/study/admin/change", data={**form, "what": "close"})
    with store.read() as connection:
        assert studies.load(connection, study).closed() and len(people.everybody(store, connection, study)) == 4
    assert web.post("/study/admin/change", data={**form, "what": "drop"}).status_code == 422
    assert web.post("/study/admin/invite", data={**form, "labels": "9999"}).status_code == 422


def zipped(folder: Path, **extra: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in folder.rglob("*.mp4"):
            archive.write(path, f"clips/{path.relative_to(folder)}")
        for name, content in extra.items():
            archive.writestr(name, content)
    return out.getvalue()


def made(web: TestClient, **sent) -> str:
    """The text of the job's last page."""
    data = {"form": proof(web, "/study/admin/new"), **sent.pop("data", {})}
    reply = web.post("/study/admin/make", data=data, files=sent.pop("files", None))
    if reply.status_code != 303:
        return reply.text
    for _ in range(2000):
        page = web.get(f"/study/admin/{reply.headers['location']}")
        if "data-reload" not in page.text:
            return page.text
        time.sleep(0.05)
    raise AssertionError("the job never ends")


def test_a_study_is_made_from_a_zip(store, clips, web):
    login(web)
    data = {"title": "From a ZIP", "plan": "quota = 2"}
    page = made(web, data=data, files={"zip": ("c.zip", zipped(clips))})
    assert "The study is made" in page
    with store.read() as connection:
        (study,) = studies.all_of(connection)
    assert study.plan.title == "From a ZIP" and study.plan.quota == 2 and len(study.items) == 6


def test_a_study_is_made_by_editing_videos(store, clips, web):
    class Editor:
        def edit(self, request):
            request.output.write_bytes(request.source.read_bytes())

    source, sad = ((clips / "sad-0" / f"{name}.mp4").read_bytes() for name in ("source", "reference"))
    methods = "mild = warp@0.5\nfull = warp@1"
    with TestClient(pages(lambda: store, Editor()), follow_redirects=False) as client:
        login(client)
        for references, questions in (([], {"realism", "mouth"}), (["sad.mp4"], {"realism", "emotion", "mouth"})):
            files = [("sources", ("talk.mp4", source)), *[("references", (name, sad)) for name in references]]
            data = {"title": "Edits", "emotions": "sad", "methods": methods}
            assert "The study is made" in made(client, data=data, files=files)
            with store.read() as connection:
                study = studies.all_of(connection)[0]
            assert study.methods == ("full", "mild") and list(study.items) == ["talk-sad"]
            assert {question.id for question in study.plan.questions} == questions
        for wrong in ({"methods": "mild = warp"}, {"methods": "x = gan@1\ny = warp"}, {"emotions": "bored"}):
            page = made(client, data={"title": "t", "emotions": "sad", "methods": methods, **wrong}, files=files)
            assert "The study is made" not in page and "Traceback" not in page


@pytest.mark.parametrize("name", ["../evil.mp4", "/evil.mp4", "a/../../evil.mp4", "..\\evil.mp4", "C:\\..\\..\\e.mp4"])
def test_a_zip_cannot_write_outside(store, clips, web, tmp_path, monkeypatch, name):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    login(web)
    page = made(web, data={"title": "t"}, files={"zip": ("c.zip", zipped(clips, **{name: b"x"}))})
    assert "The study is made" not in page
    assert not list(tmp_path.parent.glob("**/evil.mp4")) and not Path("/evil.mp4").exists()
    assert list(tmp_path.glob("asccl-study-*")) == []


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_a_bad_zip_and_a_bad_plan_are_one_line(store, clips, web, content):
    login(web)
    assert "That did not work" in made(web, data={"title": "t"}, files={"zip": ("c.zip", content)})
    good = {"zip": ("c.zip", zipped(clips))}
    for plan in ("colour = 1", "quota = ", "\0"):
        page = made(web, data={"title": "t", "plan": plan}, files=good)
        assert "That did not work" in page and "Traceback" not in page


def test_without_a_secret_or_a_store_the_pages_say_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("ASCCL_STUDY_SECRET", raising=False)
    monkeypatch.delenv("ASCCL_STUDY_DB", raising=False)
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "none"))
    from starlette.applications import Starlette

    monkeypatch.setattr(administrator, "LOGINS", RateLimiter(1000, 1000))
    with TestClient(Starlette(routes=study_routes())) as web:
        assert "python -m asccl study secret" in web.get("/study/admin").text
        assert web.get("/study").status_code == 404
        assert web.post("/study/admin/login", data={"secret": ""}).status_code == 403
    assert not (tmp_path / "none").exists()  # looking makes no store


def test_an_unexpected_error_tells_nothing(store, make, web, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("secret detail in /srv/somewhere")

    monkeypatch.setattr(session, "open_session", broken)
    with TestClient(pages(lambda: store), raise_server_exceptions=False) as client:
        reply = client.get("/study", params={"s": "x", "p": "y"})
    assert reply.status_code == 500 and "secret" not in reply.text and "Traceback" not in reply.text
    assert reply.headers["referrer-policy"] == "no-referrer"
