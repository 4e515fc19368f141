"""The participants' pages over HTTP, from consent to the completion code."""

from __future__ import annotations

import io
import re
import wave

import pytest
from participant_steps import enter_study, finish_study
from study_requests import (
    answer_body,
    invite,
    link_query,
)

from asccl.study import answering, session, tokens
from asccl.study.participants import list_participants
from asccl.study.studies import renew_open_link, set_closed
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


def test_consent_needs_the_tick(store, new_study, web):
    study_id = new_study(store)
    link = link_query(study_id, invite(store, study_id))
    assert "What is stored" in web.get("/study", params=link).text
    assert web.post("/study/consent", data=link).headers["location"].startswith("../study?")
    assert "What is stored" in web.get("/study", params=link).text
    assert web.get("/study/screen", params=link).json() == {"reason": "order"}


@pytest.mark.parametrize(
    ("settings", "mentions_checks"),
    [({}, True), ({"broken": 0}, True), ({"broken": 0, "identical": 0}, False)],
)
@pytest.mark.parametrize(("language", "checks"), [("en", "serve as a check"), ("de", "zur Kontrolle dienen")])
def test_the_first_page_mentions_check_pairs_where_there_are_any(
    store, new_study, web, settings, mentions_checks, language, checks
):
    study_id = new_study(store, language=language, **settings)
    page = web.get("/study", params=link_query(study_id, invite(store, study_id))).text
    assert (checks in page) == mentions_checks


def test_pages_are_not_stored_and_send_no_referrer(store, new_study, web):
    study_id = new_study(store)
    headers = web.get("/study", params=link_query(study_id, invite(store, study_id))).headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_check_of_screen_and_sound(store, new_study, web):
    study_id = new_study(store)
    token = invite(store, study_id)
    link = link_query(study_id, token)
    web.post("/study/consent", data={**link, "agree": "yes"})
    shape, beeps = session.open_session(store, study_id, token).check_solution()
    with wave.open(io.BytesIO(web.get("/study/beeps", params=link).content)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(0.6 * beeps, rel=0.01)
    failed = web.post("/study/check", data={**link, "shape": "none", "beeps": "1"})
    assert "failed=check_failed" in failed.headers["location"]
    web.post("/study/check", data={**link, "shape": shape, "beeps": str(beeps)})
    assert 'id="trial"' in web.get("/study", params=link).text


def test_a_clip_is_sent_in_parts_without_its_identity(store, new_study, web):
    study_id = new_study(store)
    link = link_query(study_id, enter_study(store, study_id))
    name = web.get("/study/screen", params=link).json()["screen"]["clips"][0]["clip"]
    clip = web.get("/study/clip", params={**link, "c": name}, headers={"Range": "bytes=0-9"})
    assert (clip.status_code, clip.headers["content-type"], len(clip.content)) == (206, "video/mp4", 10)
    assert not {"etag", "last-modified", "content-disposition"} & set(clip.headers)


def test_all_questions_lead_to_the_completion_code(store, new_study, web):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    link = link_query(study_id, token)
    trial = web.get("/study/screen", params=link).json()["screen"]
    while trial:
        response = web.post("/study/answer", json=answer_body(study_id, token, trial["position"]))
        assert response.status_code == 200
        trial = response.json()["screen"]
    with store.read() as connection:
        (participant,) = list_participants(store, connection, study_id)
    assert participant.stage == "finished"
    assert len(participant.code) == tokens.CODE_LENGTH
    assert participant.code in web.get("/study", params=link).text
    assert web.get("/study/screen", params=link).json() == {"screen": None}


def test_an_answer_before_the_clips_can_have_ended_does_not_count(store, new_study, web, monkeypatch):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    monkeypatch.setattr(answering, "MIN_WATCH_FRACTION", 100.0)
    web.get("/study/screen", params=link_query(study_id, token))
    response = web.post("/study/answer", json=answer_body(study_id, token, 1))
    assert (response.status_code, response.json()) == (422, {"reason": "early"})


def test_an_answer_before_the_clips_were_sent_does_not_count(store, new_study, web, monkeypatch):
    study_id = new_study(store)
    link = link_query(study_id, enter_study(store, study_id))
    monkeypatch.setattr(answering, "MIN_DELIVERED_FRACTION", 0.9)
    trial = web.get("/study/screen", params=link).json()["screen"]
    body = answer_body(study_id, link["p"], 1)
    assert web.post("/study/answer", json=body).json() == {"reason": "early"}
    for clip in trial["clips"]:
        web.get("/study/clip", params={**link, "c": clip["clip"]})
    assert web.post("/study/answer", json=body).status_code == 200


def test_an_open_link_gives_a_personal_one(store, new_study, web):
    study_id = new_study(store)
    open_token = renew_open_link(store, study_id)
    assert "Take part" in web.get("/study", params=link_query(study_id, open_token)).text
    location = web.post("/study/join", data=link_query(study_id, open_token)).headers["location"]
    token = re.search(r"p=([^&]+)", location)[1]
    assert "What is stored" in web.get("/study", params=link_query(study_id, token)).text


@pytest.mark.parametrize("name", ["address", "PROLIFIC_PID"])
def test_the_id_of_a_panel_is_read_whatever_its_parameter_is_called(store, new_study, web, name):
    study_id = new_study(store, panel_parameter=name)
    link = link_query(study_id, renew_open_link(store, study_id))
    assert 'name="panel" value="p-4711"' in web.get("/study", params={**link, name: "p-4711"}).text


def test_an_open_link_answers_no_question(store, new_study, web):
    study_id = new_study(store)
    open_token = renew_open_link(store, study_id)
    assert web.get("/study/screen", params=link_query(study_id, open_token)).status_code == 409
    assert web.post("/study/answer", json=answer_body(study_id, open_token, 1)).status_code == 404


def test_an_open_link_ends_when_the_study_is_full(store, new_study, web):
    study_id = new_study(store, max_participants=2)
    link = link_query(study_id, renew_open_link(store, study_id))
    assert [web.post("/study/join", data=link).status_code for _ in range(3)] == [303, 303, 403]


def test_an_open_link_works_until_it_is_renewed_or_removed(store, new_study, web):
    study_id = new_study(store)
    older, newer = renew_open_link(store, study_id), renew_open_link(store, study_id)
    assert web.get("/study", params=link_query(study_id, older)).status_code == 404
    assert web.get("/study", params=link_query(study_id, newer)).status_code == 200
    renew_open_link(store, study_id, enabled=False)
    assert web.get("/study", params=link_query(study_id, newer)).status_code == 404


def test_withdrawing_deletes_everything_even_when_closed(store, new_study, web):
    study_id = new_study(store)
    token, other = enter_study(store, study_id), enter_study(store, study_id)
    finish_study(store, study_id, token)
    finish_study(store, study_id, other)
    set_closed(store, study_id, True)
    link = link_query(study_id, token)
    assert web.get("/study", params=link).status_code == 200  # the last page, which offers the withdrawal
    assert "You have withdrawn" in web.post("/study/withdraw", data=link).text
    assert web.get("/study", params=link).status_code == 404
    assert {vote["participant_id"] for vote in read_votes(store, study_id)} == {other[:22]}


def test_a_closed_study_takes_nothing_but_acknowledges_a_stored_answer_again(store, new_study, web):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    link = link_query(study_id, token)
    web.get("/study/screen", params=link)
    assert web.post("/study/answer", json=answer_body(study_id, token, 1)).status_code == 200
    set_closed(store, study_id, True)
    assert web.post("/study/answer", json=answer_body(study_id, token, 1)).status_code == 200
    assert web.post("/study/answer", json=answer_body(study_id, token, 2)).status_code == 403
    assert "closed" in web.get("/study", params=link).text
    set_closed(store, study_id, False)
    assert web.get("/study/screen", params=link).status_code == 200


def test_a_study_closes_at_the_date_of_its_plan(store, new_study, web):
    study_id = new_study(store, closes="2020-01-01T00:00:00Z")
    assert web.get("/study", params=link_query(study_id, invite(store, study_id))).status_code == 403


def test_a_full_study_takes_nobody_new(store, new_study, web):
    study_id = new_study(store, judgements_per_pair=1, questions=["realism"])
    early = enter_study(store, study_id)
    finish_study(store, study_id, enter_study(store, study_id))
    link = link_query(study_id, invite(store, study_id))
    response = web.post("/study/consent", data={**link, "agree": "yes"})
    assert response.status_code == 403
    assert "complete" in response.text
    assert finish_study(store, study_id, early) > 0  # who had begun may finish


def test_sound_that_is_required(store, new_study, web):
    study_id = new_study(store, sound="required")
    token = invite(store, study_id)
    session.accept_consent(store, study_id, token)
    shape, _ = session.open_session(store, study_id, token).check_solution()
    response = web.post("/study/check", data={**link_query(study_id, token), "shape": shape, "beeps": "none"})
    assert "check_sound_needed" in response.headers["location"]


def test_pages_are_in_the_language_of_the_study(store, new_study, web):
    study_id = new_study(store, language="de")
    assert '<html lang="de">' in web.get("/study", params=link_query(study_id, invite(store, study_id))).text
    assert "Dieser Link" in web.get("/study", params=link_query(study_id, "x")).text
