"""A study is deleted on the administrator's pages, and participants then get a plain page."""

from __future__ import annotations

import shutil

import pytest
from participant_steps import enter_study, finish_study
from study_requests import answer_body, assert_reveals_nothing, link_query, log_in, read_form_token

from asccl.study.answering import show_trial
from asccl.study.page_texts import load_texts
from asccl.study.studies import list_studies
from asccl.study.study_deletion import delete_study

pytestmark = pytest.mark.usefixtures("no_watch_time")


def deletion_form(web, study_id: str, title: str = "Which is better?") -> dict[str, str]:
    return {"form": read_form_token(web, f"/study/admin/one?s={study_id}"), "s": study_id, "title": title}


def study_ids(store) -> list[str]:
    with store.read() as connection:
        return [study.id for study in list_studies(connection)]


def test_the_administrator_deletes_a_study_and_reads_what_went_and_what_remains(store, new_study, web):
    study_id = new_study(store)
    count = finish_study(store, study_id, enter_study(store, study_id))
    log_in(web)
    page = web.post("/study/admin/delete", data=deletion_form(web, study_id))
    assert page.status_code == 200
    assert f"<dt>Answers</dt><dd>{count}</dd>" in page.text
    assert "Backups and exports made before still contain the study" in page.text
    assert study_ids(store) == []
    assert list((store.folder / "clips").iterdir()) == []
    assert "There are no studies yet" in web.get("/study/admin/list").text


@pytest.mark.parametrize("title", ["", "which is better?", "Which"])
def test_a_study_stays_unless_its_title_is_typed(sqlite_web, new_study, title):
    store, web = sqlite_web
    study_id = new_study(store)
    log_in(web)
    response = web.post("/study/admin/delete", data=deletion_form(web, study_id, title))
    assert response.status_code == 422
    assert "nothing was deleted" in response.text
    assert study_ids(store) == [study_id]


@pytest.mark.parametrize("proof", [{}, {"form": "x"}])
def test_a_form_from_elsewhere_deletes_no_study(sqlite_web, new_study, proof):
    store, web = sqlite_web
    study_id = new_study(store)
    log_in(web)
    data = {"s": study_id, "title": "Which is better?", **proof}
    assert web.post("/study/admin/delete", data=data).status_code == 403
    assert study_ids(store) == [study_id]


def test_a_visitor_without_the_secret_deletes_no_study(sqlite_web, new_study):
    store, web = sqlite_web
    study_id = new_study(store)
    data = {"s": study_id, "title": "Which is better?", "form": store.signer.form_token("")}
    assert web.post("/study/admin/delete", data=data).status_code == 401
    assert web.get("/study/admin/delete", params=data).status_code == 405
    assert study_ids(store) == [study_id]


def test_deleting_twice_is_one_line(sqlite_web, new_study):
    store, web = sqlite_web
    study_id = new_study(store)
    log_in(web)
    form = deletion_form(web, study_id)
    statuses = [web.post("/study/admin/delete", data=form).status_code for _ in range(2)]
    assert statuses == [200, 422]


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_open_page_of_a_participant_gets_a_plain_page_in_its_language(store, new_study, web, language):
    study_id = new_study(store, language=language)
    token = enter_study(store, study_id)
    delete_study(store, study_id)
    page = web.get("/study", params=link_query(study_id, token))
    assert page.status_code == 410
    assert load_texts(language)["deleted_title"] in page.text
    assert f'lang="{language}"' in page.text
    for path in ("consent", "check", "withdraw", "remarks", "join"):
        response = web.post(f"/study/{path}", data=link_query(study_id, token))
        assert (response.status_code, load_texts(language)["deleted_text"] in response.text) == (410, True)


def test_a_page_that_sends_an_answer_learns_that_the_study_is_gone(store, new_study, web):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    clip = show_trial(store, study_id, token)["clips"][0]["clip"]
    delete_study(store, study_id)
    responses = [
        web.post("/study/answer", json=answer_body(study_id, token, 1)),
        web.get("/study/screen", params=link_query(study_id, token)),
        web.get("/study/clip", params={**link_query(study_id, token), "c": clip}),
    ]
    assert [response.status_code for response in responses] == [410] * 3
    assert responses[0].json() == {"reason": "deleted"}


def test_a_clip_that_is_gone_before_its_row_is_a_plain_page(sqlite_web, new_study):
    store, web = sqlite_web
    study_id = new_study(store)
    token = enter_study(store, study_id)
    clip = show_trial(store, study_id, token)["clips"][0]["clip"]
    shutil.rmtree(store.clip_path(study_id, ""))
    response = web.get("/study/clip", params={**link_query(study_id, token), "c": clip})
    assert response.status_code == 410
    assert_reveals_nothing(response)


def test_a_clip_of_the_preview_that_is_gone_is_one_line(sqlite_web, new_study):
    store, web = sqlite_web
    study_id = new_study(store)
    log_in(web)
    shutil.rmtree(store.clip_path(study_id, ""))
    response = web.get("/study/admin/preview-clip", params={"s": study_id, "c": "1-left"})
    assert response.status_code == 422
    assert "this clip is gone" in response.text
