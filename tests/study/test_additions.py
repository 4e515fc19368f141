"""What a plan may add: a rating scale, remarks at the end, and participants of a panel."""

from __future__ import annotations

import pytest
from participant_steps import answer_first, enter_study, finish_study, make_answer

from asccl.study.answering import show_trial, submit_answer
from asccl.study.design import expected_minutes
from asccl.study.export import participants_csv
from asccl.study.participants import list_participants
from asccl.study.plan import parse_plan
from asccl.study.session import SessionError, join_study, store_remarks
from asccl.study.studies import renew_open_link
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


def list_people(store, study_id):
    with store.read() as connection:
        return list_participants(store, connection, study_id)


def test_a_rating_is_stored_with_the_answer(store, new_study):
    study_id = new_study(store, rating=5)
    answer_first(store, study_id, enter_study(store, study_id), "right", rating=4)
    assert [vote["rating"] for vote in read_votes(store, study_id)] == [4]


@pytest.mark.parametrize(("answer", "rating"), [("left", 0), ("left", 6), ("cannot", 3)])
def test_a_rating_that_the_page_cannot_send_is_refused(sqlite, new_study, answer, rating):
    study_id = new_study(sqlite, rating=5, cannot_tell=True)
    token = enter_study(sqlite, study_id)
    show_trial(sqlite, study_id, token)
    with pytest.raises(SessionError, match="bad"):
        submit_answer(sqlite, study_id, token, make_answer(1, answer, rating=rating))


def test_every_question_begins_with_practice_and_is_announced(sqlite, new_study):
    study_id = new_study(sqlite, repeats=0, identical=0, broken=0)
    token = enter_study(sqlite, study_id)
    trial, starts = show_trial(sqlite, study_id, token), []
    while trial:
        if trial["block"]["starts"]:
            starts.append((trial["position"], trial["practice"], trial["block"]["number"], trial["block"]["count"]))
        trial = submit_answer(sqlite, study_id, token, make_answer(trial["position"]))
    assert starts == [(1, True, 1, 3), (8, True, 2, 3), (15, True, 3, 3)]


def test_a_participant_of_a_panel_joins_once(store, new_study):
    study_id = new_study(store, panel_parameter="PROLIFIC_PID")
    token = renew_open_link(store, study_id)
    join_study(store, study_id, token, "5f0a")
    with pytest.raises(SessionError, match="taken"):
        join_study(store, study_id, token, "5f0a")
    join_study(store, study_id, token, "5f0b")
    assert {person.panel_id for person in list_people(store, study_id)} == {"5f0a", "5f0b"}


def test_an_id_counts_only_where_the_plan_names_its_parameter(sqlite, new_study):
    study_id = new_study(sqlite)
    join_study(sqlite, study_id, renew_open_link(sqlite, study_id), "5f0a")
    assert [person.panel_id for person in list_people(sqlite, study_id)] == [""]


def test_remarks_are_stored_and_exported(store, new_study):
    study_id = new_study(store, comment=True, demographics=["age", {"id": "job", "text": "Job?"}])
    token = enter_study(store, study_id, "P01")
    finish_study(store, study_id, token)
    store_remarks(store, study_id, token, "=1+1", {"age": "25 to 34", "job": " ", "shoe": "44"})
    (person,) = list_people(store, study_id)
    assert person.demographics == {"age": "25 to 34"}
    assert participants_csv(store, study_id).splitlines()[1].endswith("'=1+1,25 to 34,")


def test_remarks_come_after_the_last_answer(sqlite, new_study):
    study_id = new_study(sqlite, comment=True)
    with pytest.raises(SessionError, match="order"):
        store_remarks(sqlite, study_id, enter_study(sqlite, study_id), "early", {})


def test_the_expected_duration_by_hand():
    plan = parse_plan({"title": "t", "questions": ["mouth"], "quota": 10, "repeats": 2, "identical": 1, "broken": 1})
    # 60 s + (10 pairs + 1 practice + 4 others) * (1.3 * 4 s + 5 s) = 213 s
    assert expected_minutes(plan, 70, 4.0) == 4
    assert expected_minutes(parse_plan({"title": "t", "minutes": 20}), 70, 4.0) == 20
