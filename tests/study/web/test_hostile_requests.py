"""Forged links, wrong answers, hostile texts and paths: nothing is changed and nothing revealed."""

from __future__ import annotations

import json

import pytest
from participant_steps import enter_study, finish_study
from study_requests import (
    HOSTILE_TEXT,
    answer_body,
    assert_reveals_nothing,
    invite,
    link_query,
    log_in,
)

from asccl.study import tokens
from asccl.study.manifest import Item, read_items
from asccl.study.participants import revoke_link
from asccl.study.plan import parse_plan
from asccl.study.studies import create_study, renew_open_link
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


def test_no_response_reveals_the_method(store, new_study, web):
    study_id = new_study(store, repeats=0)
    links = [link_query(study_id, enter_study(store, study_id)) for _ in range(2)]
    names_of_others: set[str] = set()
    for link in links:
        page, screen = web.get("/study", params=link), web.get("/study/screen", params=link)
        text = page.text + screen.text + str(page.headers) + str(screen.headers)
        for word in ("NED", "ASCCL", "broken", "identical", "happy", "sad-", "repeat"):
            assert word not in text
        names = {clip["clip"] for clip in screen.json()["screen"]["clips"]}
        assert not names_of_others & names  # every participant gets other names
        names_of_others |= names
        for name in names:
            clip = web.get("/study/clip", params={**link, "c": name})
            for method in ("NED", "ASCCL"):
                assert method.encode() not in clip.content
                assert method not in str(clip.headers)


def test_forged_foreign_and_revoked_links_do_not_work(store, new_study, web):
    study_id, other_id = new_study(store), new_study(store)
    token, foreign = enter_study(store, study_id), enter_study(store, other_id)
    revoked = enter_study(store, study_id)
    revoke_link(store, study_id, revoked[:22])
    invalid_tokens = [
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token[:30] + ("A" if token[30] != "A" else "B") + token[31:],
        token[:22] + foreign[22:],
        foreign,
        revoked,
        token[:-1],
        token + "A",
        "",
        "A" * 65,
        token.swapcase(),
        HOSTILE_TEXT,
        "\0",
        "é" * 65,
        store.signer.participant_token(other_id, token[:22], 1),
        store.signer.participant_token(study_id, token[:22], 2),
        tokens.Signer(b"guess").participant_token(study_id, token[:22], 1),
        store.signer.open_link_token(study_id, 0),
        store.signer.open_link_token(study_id, 1),
    ]
    for invalid in invalid_tokens:
        link = link_query(study_id, invalid)
        for response in (
            web.get("/study", params=link),
            web.get("/study/screen", params=link),
            web.get("/study/clip", params={**link, "c": "x"}),
            web.post("/study/answer", json=answer_body(study_id, invalid, 1)),
            web.post("/study/consent", data={**link, "agree": "yes"}),
            web.post("/study/withdraw", data=link),
            web.post("/study/join", data=link),
        ):
            assert response.status_code == 404, invalid
            assert_reveals_nothing(response)
    assert read_votes(store, study_id) == []


def test_a_link_works_in_its_own_study_only(store, new_study, web):
    study_id, other_id = new_study(store), new_study(store)
    token = enter_study(store, study_id)
    for name in (other_id, "", HOSTILE_TEXT, "A" * 11, "../" * 3):
        assert web.get("/study/screen", params=link_query(name, token)).status_code == 404


WRONG_ANSWERS = [
    {"plays_right": 0},
    {"plays_left": -1},
    {"plays_left": "1"},
    {"plays_left": 1e9},
    {"plays_left": True},
    {"answer": "cannot"},
    {"answer": "NED"},
    {"answer": HOSTILE_TEXT},
    {"answer": None},
    {"answer": ["left"]},
    {"mode": "x"},
    {"key": "short"},
    {"key": "k" * 19 + "\0"},
    {"key": HOSTILE_TEXT[:50]},
    {"key": "k" * 100},
    {"position": 99},
    {"position": "1"},
    {"position": 2**70},
]


@pytest.mark.parametrize("name", ["s", "p", "key"])
def test_a_lone_surrogate_is_a_refusal_and_no_error(store, new_study, web, name):
    study_id = new_study(store)
    body = json.dumps({**answer_body(study_id, enter_study(store, study_id), 1), name: "\ud800"})
    response = web.post("/study/answer", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (404, 409)


def test_wrong_answers_are_refused(store, new_study, web):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    web.get("/study/screen", params=link_query(study_id, token))
    for wrong in WRONG_ANSWERS:
        response = web.post("/study/answer", json=answer_body(study_id, token, **{"position": 1, **wrong}))
        assert response.status_code == 422, wrong
        assert_reveals_nothing(response)
    assert read_votes(store, study_id) == []


def test_nobody_answers_before_the_question_out_of_order_or_twice(store, new_study, web):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    assert web.post("/study/answer", json=answer_body(study_id, token, 1)).status_code == 409  # not shown yet
    web.get("/study/screen", params=link_query(study_id, token))
    assert web.post("/study/answer", json=answer_body(study_id, token, 2)).status_code == 409
    for _ in range(2):  # the second is the same again
        assert web.post("/study/answer", json=answer_body(study_id, token, 1)).status_code == 200
    changed = answer_body(study_id, token, 1, key="z" * 20, answer="right")
    assert web.post("/study/answer", json=changed).status_code == 409
    assert [(vote["participant_id"], vote["answer"]) for vote in read_votes(store, study_id)] == [(token[:22], "left")]


def test_nobody_gets_the_clips_of_another_participant(store, new_study, web):
    study_id = new_study(store)
    token, other = enter_study(store, study_id), enter_study(store, study_id)
    name = web.get("/study/screen", params=link_query(study_id, token)).json()["screen"]["clips"][0]["clip"]
    assert web.get("/study/clip", params={**link_query(study_id, other), "c": name}).status_code == 404


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"s": {"a": 1}}'])
def test_bodies_that_are_no_answer(web, content):
    for path in ("answer", "consent", "check", "withdraw", "join"):
        response = web.post(f"/study/{path}", content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == 404
        assert_reveals_nothing(response)


def test_sql_and_html_in_every_text_are_only_text(store, clips, web):
    (item, *_) = read_items(clips)
    outputs = {"m" + HOSTILE_TEXT[:90]: item.outputs["NED"], "n" + HOSTILE_TEXT[:90]: item.outputs["ASCCL"]}
    plan = parse_plan(
        {
            **dict.fromkeys(("title", "consent", "contact"), HOSTILE_TEXT),
            "texts": {"next": HOSTILE_TEXT, "welcome": HOSTILE_TEXT},
            "questions": [{"id": "q", "title": HOSTILE_TEXT, "text": HOSTILE_TEXT}],
            "repeats": 0,
        }
    )
    study_id, _ = create_study(store, plan, [Item(HOSTILE_TEXT[:150], outputs, "sad", "", item.source)])
    token = enter_study(store, study_id, HOSTILE_TEXT[:190])
    trial_page = web.get("/study", params=link_query(study_id, token))
    assert trial_page.text.count("<script") == 3
    link_tokens = [invite(store, study_id), renew_open_link(store, study_id)]
    responses = [trial_page, *(web.get("/study", params=link_query(study_id, token)) for token in link_tokens)]
    finish_study(store, study_id, token)
    log_in(web)
    for query in (f"one?s={study_id}", f"results?s={study_id}", f"results?s={study_id}&r=all", f"one?s={HOSTILE_TEXT}"):
        responses.append(web.get(f"/study/admin/{query}"))
    responses.append(web.get("/study/admin/list"))
    for response in responses:
        assert_reveals_nothing(response)
        assert "<script>alert" not in response.text
        assert "<img src=x" not in response.text
        assert "49" not in response.text[:200]  # {{7*7}}
    for kind in ("csv", "jsonl", "json", "md", "tex"):
        response = web.get(f"/study/admin/file?s={study_id}&k={kind}")
        assert response.status_code == 200
        assert "attachment" in response.headers["content-disposition"]
    assert len(read_votes(store, study_id)) > 0


@pytest.mark.parametrize(
    "name", ["../study.css", "..%2f..%2fpages.py", "%2e%2e/guard.py", "study.css%00", "/etc/passwd", "x"]
)
def test_static_files_are_a_closed_list(web, name):
    response = web.get(f"/study/static/{name}")
    assert response.status_code == 404
    assert_reveals_nothing(response)
