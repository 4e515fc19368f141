"""The researcher's preview, the address of links, and studies from an uploaded folder."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from study_requests import log_in, read_form_token

from asccl.study.participants import invite_participants
from asccl.study.schema import deliveries, participants, trials, votes
from asccl.study.studies import list_studies, load_study
from asccl.study.web.addresses import public_url


def count_rows(store) -> list[int]:
    with store.read() as connection:
        return [len(connection.execute(table.select()).all()) for table in (participants, trials, votes, deliveries)]


def test_the_preview_shows_every_page_and_stores_nothing(sqlite_web, new_study):
    store, web = sqlite_web
    study_id = new_study(store, rating=5, comment=True, demographics=["age"], return_url="https://x.org")
    log_in(web)
    for page, mark in (("consent", "agree"), ("check", "shape"), ("trial", "part-begin"), ("thanks", "EXAMPLE123")):
        text = web.get(f"/study/admin/preview?s={study_id}&page={page}").text
        assert mark in text
        assert "Nothing is stored" in text
    trial, positions = web.get(f"/study/admin/preview-screen?s={study_id}").json()["screen"], []
    while trial:
        positions.append(trial["position"])
        path = f"/study/admin/preview-clip?s={study_id}&c={trial['clips'][0]['clip']}"
        assert web.get(path).headers["content-type"] == "video/mp4"
        trial = web.post(f"/study/admin/preview-answer?s={study_id}&n={trial['position']}").json()["screen"]
    with store.read() as connection:
        plan = load_study(connection, study_id).plan
    total = 3 * (6 + plan.training) + plan.repeats + plan.identical + plan.broken
    assert positions == list(range(1, total + 1))
    assert count_rows(store) == [0, 0, 0, 0]


@pytest.mark.parametrize("path", ["preview", "preview-screen", "preview-clip?c=1-left"])
def test_the_preview_needs_the_secret(sqlite_web, path):
    assert sqlite_web[1].get(f"/study/admin/{path}").status_code == 401


@pytest.mark.parametrize("clip", ["1-other", "999-left", "x", "../../etc/passwd"])
def test_a_clip_that_the_preview_does_not_show_is_refused(sqlite_web, new_study, clip):
    store, web = sqlite_web
    study_id = new_study(store)
    log_in(web)
    assert web.get("/study/admin/preview-clip", params={"s": study_id, "c": clip}).status_code == 422


@pytest.mark.parametrize(
    ("hosts", "url", "root"),
    [
        ("", "", "http://testserver/study"),  # a forged header is not believed
        ("lab.example.org", "", "http://lab.example.org/study"),
        ("*", "", "http://testserver/study"),
        ("", "https://studies.org/x/", "https://studies.org/x/study"),
    ],
)
def test_links_begin_with_the_real_address(sqlite_web, new_study, monkeypatch, hosts, url, root):
    store, web = sqlite_web
    monkeypatch.setenv("ASCCL_HOSTS", hosts)
    monkeypatch.setenv("ASCCL_STUDY_URL", url)
    study_id = new_study(store)
    invite_participants(store, study_id, ["P01"])
    log_in(web)
    page = web.get(f"/study/admin/one?s={study_id}", headers={"X-Forwarded-Host": "lab.example.org"}).text
    assert re.search(r'class="link" readonly value="([^?]+)', page)[1] == root


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:7860"),
        ({"ASCCL_HOSTS": "*.example.org, lab.example.org"}, "https://lab.example.org"),
        ({"SPACE_ID": "a/b", "SPACE_HOST": "a-b.hf.space"}, "https://a-b.hf.space"),
        ({"ASCCL_HOSTS": "lab.example.org", "ASCCL_STUDY_URL": "https://x.org"}, "https://x.org"),
    ],
)
def test_the_address_of_links_from_the_command_line(monkeypatch, variables, url):
    for name in ("ASCCL_HOSTS", "ASCCL_STUDY_URL", "SPACE_ID", "SPACE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert public_url() == url


def upload_folder(web, clips: Path, prefix: str):
    files = [
        ("folder", (f"{prefix}{path.relative_to(clips)}", path.read_bytes(), "video/mp4"))
        for path in sorted(clips.rglob("*.mp4"))
    ]
    plan = ("plan_file", ("study.toml", b'title = "From a folder"\nquestions = ["realism"]', "application/toml"))
    form = {"form": read_form_token(web, "/study/admin/new")}
    return web.post("/study/admin/make", data=form, files=[*files, plan])


def test_a_study_from_a_folder_and_a_study_file(sqlite_web, clips):
    store, web = sqlite_web
    log_in(web)
    job = upload_folder(web, clips, "my clips/").headers["location"]
    while "Creating" in web.get(f"/study/admin/{job}").text:
        time.sleep(0.05)
    with store.read() as connection:
        (study,) = list_studies(connection)
    assert (study.plan.title, len(study.items)) == ("From a folder", 6)


def test_a_folder_whose_paths_lead_out_is_refused(sqlite_web, clips):
    _, web = sqlite_web
    log_in(web)
    assert upload_folder(web, clips, "../../").status_code == 422


def test_the_preview_of_the_last_page_has_the_example_code_in_the_address_of_the_panel(sqlite_web, new_study):
    store, web = sqlite_web
    study_id = new_study(store, return_url="https://example.org/done?cc={code}")
    log_in(web)
    assert "done?cc=EXAMPLE123" in web.get(f"/study/admin/preview?s={study_id}&page=thanks").text
