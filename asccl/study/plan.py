"""What a study asks and by which rules: read from TOML, checked once, frozen into the study when it is made."""

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
from asccl.study.words import LANGUAGES, words

ASPECTS = {"realism": (), "emotion": ("reference",), "mouth": ("source",)}  # the paper's three and what each needs
SHOWN = ("source", "reference")
PLAY = ("together", "in turn")
SOUND = ("required", "optional", "none")
LONGEST = 20_000  # characters of one text
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Question:
    """One aspect that is asked. show: what is beside the pair, of "source" and "reference"."""

    id: str
    title: str
    text: str
    show: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.id):
            raise SettingError(f"{self.id!r} cannot name a question", "use small letters, digits and _, 32 at most")
        for name in self.show:
            if name not in SHOWN:
                raise SettingError(
                    f"question {self.id} shows {name!r}", f"show only {' and '.join(SHOWN)}, or leave `show` out"
                )


@dataclass(frozen=True)
class Rules:
    """Who is left out of the second reading of the results. Written down before the first answer.

    broken_failures: more broken clips preferred than this, and the person is left out. identical_failures: likewise,
    for pairs of one and the same clip where "cannot tell" was offered and a side was taken. agreement: least share of
    repeats answered as before. seconds: least median time of an answer. A None does not count.
    """

    broken_failures: int | None = 0
    identical_failures: int | None = None
    agreement: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """All settings of a study. Checked on construction; raises SettingError.

    quota: pairs for one participant; None is all. Each is asked once for each question.
    judgements_per_pair: how many people see each pair at least before the study counts as full.
    repeats: pairs that one participant sees twice, for self-agreement. identical, broken: catch trials for each.
    training: practice trials, not counted. play: how clips start; participants may change it.
    sound: whether hearing the beeps is needed. closes: ISO 8601. seed: of order and sides. same_codec: encode all
    clips anew with one setting, so that not even compression differs.
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
    rules: Rules = field(default_factory=Rules)
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise SettingError(f"there is no language {self.language!r}", f"choose one of {', '.join(LANGUAGES)}")
        if not self.questions:
            object.__setattr__(self, "questions", default_questions(self.language))
        if not self.title.strip():
            raise SettingError("the study has no title", 'give one: title = "..."')
        self._check_ranges()
        ids = [question.id for question in self.questions]
        if len(set(ids)) < len(ids):
            raise SettingError("two questions have the same id", "rename one of them")
        unknown = self.texts.keys() - words(self.language).keys()
        if unknown:
            raise SettingError(f"there is no text {min(unknown)!r}", "take the names from asccl/study/texts/en.toml")
        texts = (self.title, self.consent, self.contact, *self.texts.values(), *(q.text for q in self.questions))
        if any(len(text) > LONGEST for text in texts):
            raise SettingError(f"a text has more than {LONGEST} characters", "shorten it")

    def _check_ranges(self) -> None:
        least = {"quota": 1, "judgements_per_pair": 1, "max_participants": 1}
        for name in ("quota", "judgements_per_pair", "training", "repeats", "identical", "broken", "max_participants"):
            value = getattr(self, name)
            if value is not None and not least.get(name, 0) <= value <= 100_000:
                raise SettingError(f"{name} = {value} is out of range", f"give {least.get(name, 0)} to 100000")
        for name, choices in (("play", PLAY), ("sound", SOUND)):
            if getattr(self, name) not in choices:
                raise SettingError(
                    f"{name} = {getattr(self, name)!r} is unknown", f"choose one of {', '.join(choices)}"
                )
        if self.rules.agreement is not None and not 0 <= self.rules.agreement <= 1:
            raise SettingError(f"agreement = {self.rules.agreement} is not a share", "give 0 to 1")
        if self.closes is not None:
            object.__setattr__(self, "closes", _time(self.closes))

    def words(self) -> dict[str, str]:
        """All texts of the participant's pages, the study's own ones in their place."""
        return {**words(self.language), **self.texts}

    def question(self, name: str) -> Question:
        return next(question for question in self.questions if question.id == name)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    def sha256(self) -> str:
        """Names the plan: every vote carries it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @staticmethod
    def from_json(text: str) -> Plan:
        return from_dict(json.loads(text))


def default_questions(language: str) -> tuple[Question, ...]:
    """The paper's three, as its field words them."""
    said = words(language)
    return tuple(Question(name, said[f"{name}_title"], said[f"{name}_text"], show) for name, show in ASPECTS.items())


def read_plan(path: Path | None, **given: Any) -> Plan:
    """From a TOML file; `given` goes before what the file says, a None is not given. Raises SettingError."""
    told: dict[str, Any] = {}
    if path is not None:
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{path.name} cannot be read ({error})", "check the name and the folder") from None
        except tomllib.TOMLDecodeError as error:
            raise SettingError(f"{path.name} is not sound TOML ({error})", "mend that line") from None
    return from_dict({**told, **{key: value for key, value in given.items() if value is not None}})


def from_dict(told: dict[str, Any]) -> Plan:
    """A checked plan. A question may be one of the paper's by name alone: `questions = ["realism"]`."""
    told = dict(told)
    told.setdefault("title", "")
    if isinstance(told.get("closes"), datetime):
        told["closes"] = told["closes"].isoformat()
    if "rules" in told:
        told["rules"] = _made(Rules, told["rules"], "[rules]")
    paper = {question.id: question for question in default_questions(_language(told))}
    asked = told.get("questions", ())
    if not isinstance(asked, list | tuple):
        raise SettingError("`questions` is not a list", "write [[questions]] before each, or a list of names")
    told["questions"] = tuple(_question(one, paper) for one in asked)
    texts = told.get("texts", {})
    if not (isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())):
        raise SettingError("[texts] holds something that is not text", 'write name = "..."')
    return _made(Plan, told, "the study file")


def _language(told: dict[str, Any]) -> str:
    return told["language"] if told.get("language") in LANGUAGES else "en"


def _question(told: Any, paper: dict[str, Question]) -> Question:
    if isinstance(told, str):
        if told not in paper:
            raise SettingError(f"there is no question {told!r}", f"choose {', '.join(paper)}, or write [[questions]]")
        return paper[told]
    if isinstance(told, dict) and isinstance(told.get("show", []), list | tuple):
        told = {**told, "show": tuple(told.get("show", ()))}
        told.setdefault("title", str(told.get("id", "")).replace("_", " ").capitalize())
    return _made(Question, told, "[[questions]]")


def _made(kind: type, told: Any, where: str) -> Any:
    """A dataclass from a table, every key known and of the right type."""
    if not isinstance(told, dict):
        raise SettingError(f"{where} is not a table", "write key = value lines")
    known = {one.name: one for one in fields(kind)}
    for key, value in told.items():
        if key not in known:
            raise SettingError(f"{where} has {key!r}", f"use only {', '.join(known)}")
        if not _fits(str(known[key].type), value):
            raise SettingError(f"{where}: {key} = {value!r} is not {known[key].type}", "correct it")
    for name, one in known.items():
        if name not in told and one.default is MISSING and one.default_factory is MISSING:
            raise SettingError(f"{where} lacks {name!r}", "add it")
    return kind(**told)


def _fits(kind: str, value: Any) -> bool:
    if value is None:
        return "None" in kind
    if kind.startswith(("bool", "str", "int", "float")):
        word = kind.split()[0]
        wanted: tuple[type, ...] = {"bool": (bool,), "str": (str,), "int": (int,), "float": (int, float)}[word]
        return isinstance(value, wanted) and (word == "bool" or not isinstance(value, bool))
    return True  # tuples, tables and rules were made above


def _time(text: str) -> str:
    """In UTC, to the second. A time without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"closes = {text!r} is not a time", "write 2026-12-31T18:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")
