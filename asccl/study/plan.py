"""The plan of a study: questions, design and exclusion rules. Read from TOML, checked once, stored with it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asccl.errors import SettingError
from asccl.study.page_texts import LANGUAGES, load_texts
from asccl.study.questions import PERSONAL_QUESTIONS, PersonalQuestion, Question, default_questions

PLAYBACK_MODES = ("together", "in turn")
SOUND_CHECKS = ("required", "optional", "none")
MAX_TEXT_LENGTH = 20_000  # characters
MAX_NUMBER = 100_000  # of any integer setting
NEWER_SETTINGS = ("minutes", "rating", "comment", "demographics", "panel_parameter", "return_url")
RATING_POINTS = (0, *range(3, 12))
PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
RESERVED_PARAMETERS = ("s", "p", "failed")  # of the links themselves


@dataclass(frozen=True)
class ExclusionRules:
    """Participants whom the second set of results excludes. A rule that is None does not apply.

    Attributes:
        broken_failures: exclude whoever preferred more broken clips than this.
        identical_failures: exclude whoever chose a side in more pairs of identical clips than this. Only sensible
            where "cannot tell" is offered.
        agreement: minimum fraction of repeats with the same answer as before.
        seconds: minimum median time of an answer.
    """

    broken_failures: int | None = 0
    identical_failures: int | None = None
    agreement: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class StudyPlan:
    """All settings of a study, checked on construction. Raises SettingError.

    Attributes:
        title: title of the study, as participants see it.
        questions: asked about every pair; the paper's three by default.
        language: of the pages, one of `LANGUAGES`.
        consent: consent text; an empty line begins a paragraph.
        contact: whom participants may ask.
        quota: number of pairs for one participant, None for all. Each pair is asked once per question.
        judgements_per_pair: minimum number of participants who judge each pair; then the study is full.
        training: number of practice trials before each question, which are not counted.
        repeats: number of pairs shown again to the same participant, for self-agreement.
        identical: number of catch trials with the same clip on both sides.
        broken: number of catch trials with a broken clip on one side.
        cannot_tell: whether "I cannot tell" is a third answer.
        play: how clips start, one of `PLAYBACK_MODES`; participants may change it.
        sound: whether participants must hear the beeps of the check, one of `SOUND_CHECKS`.
        closes: time at which the study closes, ISO 8601.
        max_participants: maximum number of participants.
        seed: of the order of trials and of their sides.
        same_codec: encode all clips with the same settings, so that methods do not differ in compression.
        rules: who is excluded from the second set of results.
        texts: replacements of texts of the pages, by name.
        minutes: expected duration that the first page names; None for an estimate from the clips.
        rating: points of the scale on which participants rate the difference beside their choice; 0 for no scale.
        comment: whether participants may write a comment at the end.
        demographics: questions about the participant at the end.
        panel_parameter: parameter of the open link in which a panel sends its ID of the participant (Prolific:
            "PROLIFIC_PID"); nobody joins twice with one ID.
        return_url: address of the panel to which participants return at the end; "{code}" stands for their code.
    """

    title: str
    questions: tuple[Question, ...] = ()
    language: str = "en"
    consent: str = ""
    contact: str = ""
    quota: int | None = None
    judgements_per_pair: int = 25
    training: int = 1
    repeats: int = 2
    identical: int = 1
    broken: int = 2
    cannot_tell: bool = False
    play: str = "together"
    sound: str = "optional"
    closes: str | None = None
    max_participants: int = 1000
    seed: int = 0
    same_codec: bool = False
    rules: ExclusionRules = field(default_factory=ExclusionRules)
    texts: dict[str, str] = field(default_factory=dict)
    minutes: int | None = None
    rating: int = 0
    comment: bool = False
    demographics: tuple[PersonalQuestion, ...] = ()
    panel_parameter: str = ""
    return_url: str = ""

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise SettingError(f"there is no language {self.language!r}", f"choose one of {', '.join(LANGUAGES)}")
        if not self.questions:
            object.__setattr__(self, "questions", default_questions(self.language))
        if not self.title.strip():
            raise SettingError("the study has no title", 'give one: title = "..."')
        self._check_ranges()
        for questions in (self.questions, self.demographics):
            ids = [question.id for question in questions]
            if len(set(ids)) < len(ids):
                raise SettingError("two questions have the same id", "rename one of them")
        self._check_panel()
        unknown = self.texts.keys() - load_texts(self.language).keys()
        if unknown:
            raise SettingError(f"there is no text {min(unknown)!r}", "take the names from asccl/study/texts/en.toml")
        texts = (self.title, self.consent, self.contact, *self.texts.values(), *(q.text for q in self.questions))
        if any(len(text) > MAX_TEXT_LENGTH for text in texts):
            raise SettingError(f"a text has more than {MAX_TEXT_LENGTH} characters", "shorten it")

    def _check_panel(self) -> None:
        is_name = PARAMETER_NAME.fullmatch(self.panel_parameter) and self.panel_parameter not in RESERVED_PARAMETERS
        if self.panel_parameter and not is_name:
            raise SettingError(
                f"panel_parameter = {self.panel_parameter!r} is not the name of a parameter",
                "write the panel's own, such as PROLIFIC_PID",
            )
        if self.return_url and not self.return_url.startswith("https://"):
            raise SettingError(f"return_url = {self.return_url!r} is no address", "begin it with https://")

    def _check_ranges(self) -> None:
        if self.rating not in RATING_POINTS:
            points = f"{RATING_POINTS[1]} to {RATING_POINTS[-1]}"
            raise SettingError(f"rating = {self.rating} is out of range", f"give {points} points, or 0 for no scale")
        for names, minimum in (
            (("quota", "judgements_per_pair", "max_participants", "minutes"), 1),
            (("training", "repeats", "identical", "broken"), 0),
        ):
            for name in names:
                value = getattr(self, name)
                if value is not None and not minimum <= value <= MAX_NUMBER:
                    raise SettingError(f"{name} = {value} is out of range", f"give {minimum} to {MAX_NUMBER}")
        for name, choices in (("play", PLAYBACK_MODES), ("sound", SOUND_CHECKS)):
            if getattr(self, name) not in choices:
                raise SettingError(
                    f"{name} = {getattr(self, name)!r} is unknown", f"choose one of {', '.join(choices)}"
                )
        if self.rules.agreement is not None and not 0 <= self.rules.agreement <= 1:
            raise SettingError(f"agreement = {self.rules.agreement} is not a fraction", "give 0 to 1")
        if self.closes is not None:
            object.__setattr__(self, "closes", _normalize_time(self.closes))

    @property
    def has_checks(self) -> bool:
        """Whether some pairs have a right answer, which shows who pays attention."""
        return self.identical + self.broken > 0

    def page_texts(self) -> dict[str, str]:
        """Return all texts of the participants' pages, with the study's own replacements."""
        return {**load_texts(self.language), **self.texts}

    def question(self, question_id: str) -> Question:
        """Return the question of this id."""
        return next(question for question in self.questions if question.id == question_id)

    def to_json(self) -> str:
        """Return the plan as JSON with sorted keys.

        Settings that older versions do not have are left out where they have their default, so that the hash of an
        older plan stays the same.
        """
        defaults = {item.name: item.default for item in fields(self)}
        values = asdict(self)
        kept = {name: value for name, value in values.items() if name not in NEWER_SETTINGS or value != defaults[name]}
        return json.dumps(kept, sort_keys=True, ensure_ascii=False)

    def sha256(self) -> str:
        """Return the hash that identifies the plan; every vote carries it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @staticmethod
    def from_json(text: str) -> StudyPlan:
        """Return the plan that `to_json` wrote."""
        return parse_plan(json.loads(text))


def read_plan(path: Path | None, **overrides: Any) -> StudyPlan:
    """Read a plan from a TOML file.

    Args:
        path: the file; None for a plan of defaults.
        overrides: settings that replace those of the file. None leaves a setting as it is.

    Raises:
        SettingError: the file cannot be read, or a setting is wrong.
    """
    table = read_plan_table(path) if path is not None else {}
    return parse_plan({**table, **{key: value for key, value in overrides.items() if value is not None}})


def read_plan_table(path: Path) -> dict[str, Any]:
    """Read the settings of a TOML file without checking them. Raises SettingError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path.name} cannot be read ({error})", "check the name and the folder") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path.name} is not valid TOML ({error})", "correct that line") from None


def parse_plan(table: dict[str, Any]) -> StudyPlan:
    """Return the checked plan of a TOML or JSON table.

    A question may be one of the paper's by its id alone: `questions = ["realism"]`.

    Raises:
        SettingError: a setting is unknown, missing, of the wrong type or out of range.
    """
    settings = {"title": "", **table}
    if isinstance(settings.get("closes"), datetime):
        settings["closes"] = settings["closes"].isoformat()
    if "rules" in settings:
        settings["rules"] = _construct(ExclusionRules, settings["rules"], "[rules]")
    language = settings["language"] if settings.get("language") in LANGUAGES else "en"
    paper_questions = {question.id: question for question in default_questions(language)}
    questions = settings.get("questions", ())
    if not isinstance(questions, list | tuple):
        raise SettingError("`questions` is not a list", "write [[questions]] before each, or a list of names")
    settings["questions"] = tuple(_parse_question(entry, paper_questions) for entry in questions)
    demographics = settings.get("demographics", ())
    if not isinstance(demographics, list | tuple):
        raise SettingError("`demographics` is not a list", "write [[demographics]] before each, or a list of names")
    settings["demographics"] = tuple(_parse_personal_question(entry, language) for entry in demographics)
    texts = settings.get("texts", {})
    if not (isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())):
        raise SettingError("[texts] has a value that is not text", 'write name = "..."')
    return _construct(StudyPlan, settings, "the study file")


def _parse_question(entry: Any, paper_questions: dict[str, Question]) -> Question:
    if isinstance(entry, str):
        if entry not in paper_questions:
            names = ", ".join(paper_questions)
            raise SettingError(f"there is no question {entry!r}", f"choose {names}, or write [[questions]]")
        return paper_questions[entry]
    if isinstance(entry, dict) and isinstance(entry.get("show", []), list | tuple):
        title = str(entry.get("id", "")).replace("_", " ").capitalize()
        entry = {"title": title, **entry, "show": tuple(entry.get("show", ()))}
    return _construct(Question, entry, "[[questions]]")


def _parse_personal_question(entry: Any, language: str) -> PersonalQuestion:
    if isinstance(entry, str):
        if entry not in PERSONAL_QUESTIONS:
            names = ", ".join(PERSONAL_QUESTIONS)
            raise SettingError(f"there is no question {entry!r}", f"choose {names}, or write [[demographics]]")
        texts = load_texts(language)
        return PersonalQuestion(entry, texts[f"{entry}_text"], tuple(texts[f"{entry}_choices"].split(" | ")))
    if isinstance(entry, dict) and isinstance(entry.get("choices", []), list | tuple):
        entry = {**entry, "choices": tuple(entry.get("choices", ()))}
    return _construct(PersonalQuestion, entry, "[[demographics]]")


def _construct(cls: type, table: Any, place: str) -> Any:
    """Construct a dataclass from a table whose keys must be known and whose values must have the field's type."""
    if not isinstance(table, dict):
        raise SettingError(f"{place} is not a table", "write key = value lines")
    known = {item.name: item for item in fields(cls)}
    for key, value in table.items():
        if key not in known:
            raise SettingError(f"{place} has the unknown key {key!r}", f"use only {', '.join(known)}")
        if not _has_type(value, str(known[key].type)):
            raise SettingError(f"{place}: {key} = {value!r} is not {known[key].type}", "correct it")
    for name, item in known.items():
        if name not in table and item.default is MISSING and item.default_factory is MISSING:
            raise SettingError(f"{place} has no {name!r}", "add it")
    return cls(**table)


def _has_type(value: Any, annotation: str) -> bool:
    if value is None:
        return "None" in annotation
    scalars: dict[str, tuple[type, ...]] = {"bool": (bool,), "str": (str,), "int": (int,), "float": (int, float)}
    name = annotation.split()[0]
    if name in scalars:
        return isinstance(value, scalars[name]) and (name == "bool" or not isinstance(value, bool))
    return True  # tuples, tables and rules were constructed before


def _normalize_time(text: str) -> str:
    """Return a time in UTC, to the second. A time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"closes = {text!r} is not a time", "write 2026-12-31T18:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")
