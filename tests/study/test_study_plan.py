"""Plans: read from TOML, checked, named by their hash; and the texts of all languages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from asccl.errors import SettingError
from asccl.study.page_texts import LANGUAGES, TEXTS_FOLDER
from asccl.study.plan import StudyPlan, parse_plan, read_plan


def test_a_plan_survives_json():
    plan = parse_plan({"title": "t", "questions": ["mouth"], "rules": {"agreement": 0.5}, "texts": {"next": "Go"}})
    assert StudyPlan.from_json(plan.to_json()) == plan


def test_the_hash_of_a_stored_plan_never_changes():
    plan = parse_plan({"title": "t", "questions": [{"id": "q", "text": "?"}]})
    assert plan.sha256() == "276811e567d221f5830e90d99dbfce8f94ac443fdcf2cf60a7ed26542ffccdca"


def test_texts_and_questions_of_a_plan():
    plan = parse_plan({"title": "t", "questions": ["mouth"], "texts": {"next": "Go"}})
    assert plan.page_texts()["next"] == "Go"
    assert plan.questions[0].show == ("source",)


def test_settings_of_a_panel_survive_json_and_change_the_hash():
    personal = [{"id": "job", "text": "What is your job?"}, "age"]
    plan = parse_plan({"title": "t", "rating": 5, "demographics": personal, "return_url": "https://x.org/{code}"})
    assert StudyPlan.from_json(plan.to_json()) == plan
    assert [len(question.choices) for question in plan.demographics] == [0, 6]
    assert plan.sha256() != parse_plan({"title": "t"}).sha256()


def test_a_plan_file(tmp_path: Path):
    (tmp_path / "study.toml").write_text(
        'title = "Gaze"\ncloses = 2030-01-01T12:00:00+02:00\ncannot_tell = true\n'
        '[[questions]]\nid = "gaze"\ntext = "Where does she look at you?"\nshow = ["source"]\n'
    )
    plan = read_plan(tmp_path / "study.toml", title=None)
    assert plan.closes == "2030-01-01T10:00:00+00:00"
    assert [(question.id, question.title, question.show) for question in plan.questions] == [
        ("gaze", "Gaze", ("source",))
    ]
    assert read_plan(tmp_path / "study.toml", title="Other").title == "Other"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no title"),
        ({"title": "t", "quota": 0}, "quota"),
        ({"title": "t", "repeats": -1}, "repeats"),
        ({"title": "t", "repeats": True}, "repeats"),
        ({"title": "t", "play": "backwards"}, "play"),
        ({"title": "t", "language": "../de"}, "language"),
        ({"title": "t", "closes": "soon"}, "closes"),
        ({"title": "t", "questions": ["beauty"]}, "beauty"),
        ({"title": "t", "questions": [{"id": "A b", "text": "?"}]}, "A b"),
        ({"title": "t", "questions": [{"id": "a", "text": "?", "show": ["method"]}]}, "method"),
        ({"title": "t", "questions": ["mouth", "mouth"]}, "same id"),
        ({"title": "t", "rules": {"mood": 1}}, "mood"),
        ({"title": "t", "texts": {"nxt": "Go"}}, "nxt"),
        ({"title": "t", "consent": "x" * 20_001}, "characters"),
        ({"title": "t", "colour": "red"}, "colour"),
        ({"title": "t", "rating": 2}, "rating"),
        ({"title": "t", "return_url": "javascript:alert(1)"}, "return_url"),
        ({"title": "t", "panel_parameter": "p"}, "panel_parameter"),
        ({"title": "t", "demographics": ["height"]}, "height"),
        ({"title": "t", "demographics": [{"id": "a", "text": "?", "choices": [1]}]}, "choice"),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line(settings, message):
    with pytest.raises(SettingError, match=message) as error:
        parse_plan(settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_and_every_name_in_braces(language):
    english, texts = (tomllib.loads((TEXTS_FOLDER / f"{name}.toml").read_text()) for name in ("en", language))
    assert texts.keys() == english.keys()
    assert [name for name in texts if ("{" in texts[name]) != ("{" in english[name])] == []


def test_english_and_german_exist():
    assert {"en", "de"} <= set(LANGUAGES)
