"""The questions of a study: those about each pair of clips, and those about the participant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asccl.errors import SettingError
from asccl.study.page_texts import load_texts

CONTEXT_ROLES = ("source", "reference")  # clips that may be shown beside a pair
PAPER_QUESTIONS = {
    "realism": (),
    "emotion": ("reference",),
    "mouth": ("source",),
}  # id -> context clips of the question
PERSONAL_QUESTIONS = ("age", "gender")  # whose texts every language has
QUESTION_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Question:
    """One question that is asked about every pair of clips.

    Attributes:
        id: name of the question in the stored answers.
        title: heading in the tables of results.
        text: what participants read.
        show: clips shown beside the pair, of "source" and "reference".
    """

    id: str
    title: str
    text: str
    show: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not QUESTION_ID.fullmatch(self.id):
            raise SettingError(f"{self.id!r} is not a question id", "use a-z, 0-9 and _, 32 characters at most")
        for role in self.show:
            if role not in CONTEXT_ROLES:
                raise SettingError(
                    f"question {self.id} shows {role!r}",
                    f"show only {' and '.join(CONTEXT_ROLES)}, or leave `show` out",
                )


@dataclass(frozen=True)
class PersonalQuestion:
    """A question about the participant, which nobody has to answer.

    Attributes:
        id: name of the question in the export.
        text: what participants read.
        choices: the possible answers; a free text where there are none.
    """

    id: str
    text: str
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not QUESTION_ID.fullmatch(self.id):
            raise SettingError(f"{self.id!r} is not a question id", "use a-z, 0-9 and _, 32 characters at most")
        if not all(isinstance(choice, str) and choice.strip() for choice in self.choices):
            raise SettingError(f"a choice of {self.id} is not text", 'write choices = ["...", "..."]')


def default_questions(language: str) -> tuple[Question, ...]:
    """Return the paper's three questions in a language."""
    texts = load_texts(language)
    return tuple(
        Question(name, texts[f"{name}_title"], texts[f"{name}_text"], show) for name, show in PAPER_QUESTIONS.items()
    )
