"""What participants and researchers see, and what the log says, when the database fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from participant_steps import answer_first, enter_study
from sqlalchemy import event, insert
from sqlalchemy.exc import IntegrityError
from study_requests import answer_body, invite, link_query, log_in, read_form_token

from asccl.errors import StudyError
from asccl.study import schema
from asccl.study.store import DATABASE_FILE, Store
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


@pytest.fixture
def locked_web(sqlite_web, new_study) -> Iterator[tuple]:
    """A study in German with a participant, while another process keeps the database locked."""
    store, web = sqlite_web

    def shorten_the_wait(connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10")

    study_id = new_study(store, language="de")
    token = enter_study(store, study_id)
    answer_first(store, study_id, token)
    event.listen(store.engine, "begin", shorten_the_wait, insert=True)
    log_in(web)
    other = sqlite3.connect(store.folder / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield store, web, study_id, token
    other.close()


def test_a_locked_database_is_a_page_in_the_language_of_the_study(locked_web):
    _, web, study_id, token = locked_web
    page = web.post("/study/withdraw", data=link_query(study_id, token))
    assert (page.status_code, "Keine Ihrer Antworten ist verloren" in page.text) == (500, True)


def test_an_answer_to_a_locked_database_is_refused_so_that_its_page_sends_it_again(locked_web):
    store, web, study_id, token = locked_web
    response = web.post("/study/answer", json=answer_body(study_id, token, 2))
    assert (response.status_code, response.json()) == (500, {"reason": "error"})
    assert len(read_votes(store, study_id)) == 1


def test_a_researcher_sees_in_one_line_that_the_database_is_locked(locked_web):
    _, web, study_id, _ = locked_web
    form = read_form_token(web, "/study/admin/new")
    response = web.post("/study/admin/change", data={"form": form, "s": study_id, "what": "close"})
    assert (response.status_code, "database is locked" in response.text) == (422, True)


def test_a_full_disk_is_reported_without_what_a_participant_sent(sqlite_web, new_study, caplog):
    store, web = sqlite_web
    study_id = new_study(store, broken=500)  # more rows than the free pages of the file hold
    link = link_query(study_id, invite(store, study_id))

    @event.listens_for(store.engine, "begin")
    def fill_the_disk(connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # means: no page more than there are

    response = web.post("/study/consent", data={**link, "agree": "yes"})
    assert (response.status_code, "Something went wrong" in response.text) == (500, True)
    assert "disk is full" in caplog.text
    assert link["p"][:22] not in caplog.text


def test_an_error_of_the_database_does_not_contain_what_was_stored(store, new_study):
    study_id = new_study(store)
    row = {"id": "x", "study_id": study_id, "label": "Ada Lovelace", "serial": 1, "sound": "", "created_at": ""}
    twice = insert(schema.participants).values([row, row])
    with pytest.raises(IntegrityError) as failure, store.write() as connection:
        connection.execute(twice)
    assert "Lovelace" not in str(failure.value)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / DATABASE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(StudyError, match="not a database"):
        Store(tmp_path)
