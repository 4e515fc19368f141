"""The administrator's pages over HTTP: log-in, changes, and studies created in the browser."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path

import pytest
from participant_steps import enter_study, finish_study
from starlette.applications import Starlette
from starlette.testclient import TestClient
from study_requests import HOSTILE_TEXT, generous_limiters, link_query, log_in, read_form_token
from synthetic_study import CopyingEditor

from asccl.study.participants import list_participants
from asccl.study.studies import list_studies, load_study
from asccl.study.web.serve import build_app, study_routes

PAGES = ("list", "new", "job?j=x", "one?s=x", "results?s=x", "file?s=x&k=csv")
METHODS = "mild = warp@0.5\nfull = warp@1"


def load(store, study_id: str):
    with store.read() as connection:
        return load_study(connection, study_id)


def test_nothing_is_visible_without_the_secret(store, new_study, web):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    for forged in ("", "x", "9999999999.x", "99999999999999999999.x", store.signer.form_token(""), token):
        web.cookies.set("asccl_study_admin", forged)
        for path in PAGES:
            response = web.get(f"/study/admin/{path.replace('=x', '=' + study_id)}")
            assert response.status_code == 401
            assert "Which is better" not in response.text
        for path in ("make", "invite", "change", "logout"):
            data = {"s": study_id, "what": "close"}
            assert web.post(f"/study/admin/{path}", data=data).status_code == 401
    assert not load(store, study_id).is_closed()


@pytest.mark.parametrize("secret", ["wrong", HOSTILE_TEXT])
def test_a_wrong_secret_is_refused(web, secret):
    assert log_in(web, secret).status_code == 403


def test_the_session_is_a_strict_cookie_that_ends(store, web):
    cookie = log_in(web).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=" not in cookie
    signer, secret_hash = store.signer, store.secret_hash()
    assert signer.is_admin_session(signer.admin_session(secret_hash, "0"), secret_hash, "0")
    assert not signer.is_admin_session(signer.admin_session(secret_hash, "0"), "other", "0")
    assert not signer.is_admin_session(signer.admin_session(secret_hash, "0", time.time() - 9 * 3600), secret_hash, "0")


def test_a_session_is_void_after_logging_out(store, web):
    cookie = re.search(r"asccl_study_admin=([^;]+)", log_in(web).headers["set-cookie"])[1]
    web.post("/study/admin/logout", data={"form": read_form_token(web, "/study/admin/list")})
    web.cookies.clear()
    web.cookies.set("asccl_study_admin", cookie)
    assert web.get("/study/admin/list").status_code == 401


def test_two_sessions_of_one_second_differ(store):
    sessions = {store.signer.admin_session("hash of the secret", "0", 1.0) for _ in range(2)}
    assert len(sessions) == 2


def test_a_form_from_elsewhere_changes_nothing(store, new_study, web):
    study_id = new_study(store)
    log_in(web)
    for forged in ({}, {"form": "x"}, {"form": store.signer.form_token("other")}):
        data = {"s": study_id, "what": "close", **forged}
        assert web.post("/study/admin/change", data=data).status_code == 403
    assert not load(store, study_id).is_closed()


def test_the_administrators_changes(store, new_study, web):
    study_id = new_study(store)
    log_in(web)
    form = {"form": read_form_token(web, f"/study/admin/one?s={study_id}"), "s": study_id}
    web.post("/study/admin/invite", data={**form, "labels": "P01\nP02\n"})
    web.post("/study/admin/invite", data={**form, "labels": "3"})
    page = web.get(f"/study/admin/one?s={study_id}").text
    tokens = re.findall(rf"value=\"http://testserver/study\?s={study_id}&amp;p=([\w-]+)\"", page)
    assert len(tokens) == 5
    first = link_query(study_id, tokens[0])
    assert web.get("/study", params=first).status_code == 200
    web.post("/study/admin/change", data={**form, "what": "revoke", "who": tokens[0][:22]})
    assert web.get("/study", params=first).status_code == 404
    web.post("/study/admin/change", data={**form, "what": "delete", "who": tokens[1][:22]})
    with store.read() as connection:
        assert len(list_participants(store, connection, study_id)) == 4
    web.post("/study/admin/change", data={**form, "what": "link"})
    assert "revokes this one" in web.get(f"/study/admin/one?s={study_id}").text
    web.post("/study/admin/change", data={**form, "what": "close"})
    assert load(store, study_id).is_closed()


@pytest.mark.parametrize(("path", "data"), [("change", {"what": "drop"}), ("invite", {"labels": "9999"})])
def test_an_impossible_change_is_refused(store, new_study, web, path, data):
    study_id = new_study(store)
    log_in(web)
    form = {"form": read_form_token(web, "/study/admin/new"), "s": study_id}
    assert web.post(f"/study/admin/{path}", data={**form, **data}).status_code == 422


def zip_clips(folder: Path, **extra: bytes) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for path in folder.rglob("*.mp4"):
            archive.write(path, f"clips/{path.relative_to(folder)}")
        for name, content in extra.items():
            archive.writestr(name, content)
    return output.getvalue()


def create_in_browser(web: TestClient, data: dict[str, str], files: object) -> str:
    """Send the form and wait for the job. Returns the text of the last page."""
    form = {"form": read_form_token(web, "/study/admin/new"), **data}
    response = web.post("/study/admin/make", data=form, files=files)
    if response.status_code != 303:
        return response.text
    for _ in range(2000):
        page = web.get(f"/study/admin/{response.headers['location']}")
        if "data-reload" not in page.text:
            return page.text
        time.sleep(0.05)
    raise AssertionError("the job never ends")


def test_a_study_is_created_from_a_zip(store, clips, web):
    log_in(web)
    files = {"zip": ("c.zip", zip_clips(clips))}
    assert "The study is ready" in create_in_browser(web, {"title": "From a ZIP", "plan": "quota = 2"}, files)
    with store.read() as connection:
        (study,) = list_studies(connection)
    assert (study.plan.title, study.plan.quota, len(study.items)) == ("From a ZIP", 2, 6)


@pytest.fixture
def editing_web(store, web):
    """The pages of a server with an editor, logged in."""
    app = build_app(lambda: store, CopyingEditor(), generous_limiters())
    with TestClient(app, follow_redirects=False) as client:
        log_in(client)
        yield client


@pytest.mark.parametrize(
    ("references", "questions"), [([], {"realism", "mouth"}), (["sad.mp4"], {"realism", "emotion", "mouth"})]
)
def test_a_study_is_created_by_editing_videos(store, clips, editing_web, references, questions):
    source, sad = ((clips / "sad-0" / f"{name}.mp4").read_bytes() for name in ("source", "reference"))
    files = [("sources", ("talk.mp4", source)), *[("references", (name, sad)) for name in references]]
    data = {"title": "Edits", "emotions": "sad", "methods": METHODS}
    assert "The study is ready" in create_in_browser(editing_web, data, files)
    with store.read() as connection:
        (study,) = list_studies(connection)
    assert (study.methods, list(study.items)) == (("full", "mild"), ["talk-sad"])
    assert {question.id for question in study.plan.questions} == questions


@pytest.mark.parametrize(
    "wrong", [{"methods": "mild = warp"}, {"methods": "x = gan@1\ny = warp"}, {"emotions": "bored"}]
)
def test_wrong_settings_of_edits_create_no_study(clips, editing_web, wrong):
    files = [("sources", ("talk.mp4", (clips / "sad-0" / "source.mp4").read_bytes()))]
    page = create_in_browser(editing_web, {"title": "t", "emotions": "sad", "methods": METHODS, **wrong}, files)
    assert "The study is ready" not in page
    assert "Traceback" not in page


@pytest.mark.parametrize("name", ["../evil.mp4", "/evil.mp4", "a/../../evil.mp4", "..\\evil.mp4", "C:\\..\\..\\e.mp4"])
def test_a_zip_cannot_write_outside(store, clips, web, tmp_path, name):
    log_in(web)
    files = {"zip": ("c.zip", zip_clips(clips, **{name: b"x"}))}
    assert "The study is ready" not in create_in_browser(web, {"title": "t"}, files)
    assert list(tmp_path.parent.glob("**/evil.mp4")) == []
    assert not Path("/evil.mp4").exists()
    assert list((store.folder / "clips").iterdir()) == []  # the uploaded files are gone, too


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_a_bad_zip_is_one_line(web, content):
    log_in(web)
    assert "That did not work" in create_in_browser(web, {"title": "t"}, {"zip": ("c.zip", content)})


def test_a_damaged_file_in_a_zip_is_one_line(web):
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/ASCCL.mp4", bytes(range(256)) * 40)
    content = bytearray(output.getvalue())
    start = 30 + len("a/ASCCL.mp4")
    content[start : start + 20] = b"\xff" * 20
    log_in(web)
    assert "not a readable ZIP" in create_in_browser(web, {"title": "t"}, {"zip": ("c.zip", bytes(content))})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_twice_in_a_zip_is_one_line(web):
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for _ in range(2):
            archive.writestr("a/ASCCL.mp4", b"x")
    log_in(web)
    assert "occurs twice" in create_in_browser(web, {"title": "t"}, {"zip": ("c.zip", output.getvalue())})


def test_two_videos_of_one_name_are_one_line(clips, editing_web):
    video = (clips / "sad-0" / "source.mp4").read_bytes()
    files = [("sources", ("talk.mp4", video)), ("sources", ("talk.mp4", video))]
    data = {"title": "t", "emotions": "sad", "methods": METHODS}
    assert "occurs twice" in create_in_browser(editing_web, data, files)


def test_the_word_questions_in_a_consent_text_names_no_questions(clips, editing_web, store):
    files = [("sources", ("talk.mp4", (clips / "sad-0" / "source.mp4").read_bytes()))]
    data = {"title": "t", "emotions": "sad", "methods": METHODS, "plan": 'consent = "You answer ten questions."'}
    assert "The study is ready" in create_in_browser(editing_web, data, files)
    with store.read() as connection:
        (study,) = list_studies(connection)
    assert [question.id for question in study.plan.questions] == ["realism", "mouth"]


@pytest.mark.parametrize("plan", ["colour = 1", "quota = ", "\0"])
def test_a_bad_plan_is_one_line(clips, web, plan):
    log_in(web)
    page = create_in_browser(web, {"title": "t", "plan": plan}, {"zip": ("c.zip", zip_clips(clips))})
    assert "That did not work" in page
    assert "Traceback" not in page


def test_without_a_secret_or_a_store_the_pages_say_what_to_do(monkeypatch, tmp_path):
    for name in ("ASCCL_STUDY_SECRET", "ASCCL_STUDY_DB", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "none"))
    with TestClient(Starlette(routes=study_routes())) as web:
        assert "python -m asccl study secret" in web.get("/study/admin").text
        assert web.get("/study").status_code == 404
        assert web.post("/study/admin/login", data={"secret": ""}).status_code == 403
    assert not (tmp_path / "none").exists()  # a visit creates no store


def test_results_without_answers_say_so_instead_of_empty_charts(store, new_study, web):
    study_id = new_study(store)
    log_in(web)
    page = web.get(f"/study/admin/results?s={study_id}").text
    assert "No answer counts yet" in page
    assert "<svg" not in page


def test_results_name_excluded_participants_by_their_labels(store, new_study, web, no_watch_time):
    study_id = new_study(store, rules={"seconds": 60.0})
    finish_study(store, study_id, enter_study(store, study_id, "P07"))
    log_in(web)
    assert "<li>P07: " in web.get(f"/study/admin/results?s={study_id}").text
