"""Participants as the researcher names them."""

from __future__ import annotations

import pytest
from participant_steps import enter_study

from asccl.errors import StudyError
from asccl.study.participants import find_participant


def test_a_participant_is_found_by_id_and_label(sqlite, new_study):
    study_id = new_study(sqlite)
    participant_id = enter_study(sqlite, study_id, "P01")[:22]
    assert find_participant(sqlite, study_id, participant_id) == participant_id
    assert find_participant(sqlite, study_id, "P01") == participant_id


def test_an_empty_name_is_not_the_participant_without_a_label(sqlite, new_study):
    study_id = new_study(sqlite)
    enter_study(sqlite, study_id)
    with pytest.raises(StudyError, match="there is no participant"):
        find_participant(sqlite, study_id, "")
