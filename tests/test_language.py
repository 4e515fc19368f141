"""The rules of the style guide that a program can check."""

from __future__ import annotations

from pathlib import Path

import pytest
from media import ROOT

from benchmarks import code_figures

FILES = code_figures.python_files(ROOT)


def relative(messages: list[str]) -> list[str]:
    return [message.removeprefix(f"{ROOT}/") for message in messages]


def test_no_identifier_is_a_word_that_says_nothing() -> None:
    assert relative([m for path in FILES for m in code_figures.banned_identifiers(path)]) == []


def test_public_functions_describe_all_their_parameters() -> None:
    assert relative([m for path in FILES for m in code_figures.undocumented_parameters(path)]) == []


def test_the_formatter_is_never_switched_off() -> None:
    files = [*FILES, *code_figures.python_files(ROOT, ("tests",))]
    assert relative([m for path in files for m in code_figures.matching_lines(path, code_figures.FORMATTER_OFF)]) == []


def test_an_ignored_type_error_has_a_reason_beside_it() -> None:
    lines = [m for path in FILES for m in code_figures.matching_lines(path, code_figures.BARE_TYPE_IGNORE)]
    assert relative(lines) == []


def test_no_module_imports_itself_by_a_detour() -> None:
    assert code_figures.import_cycles(ROOT) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("found = 1", 1),
        ("def f(told): ...", 1),
        ("class Found: ...", 1),
        ("_HERE = 1", 1),
        ("x.seen = 1", 1),
        ("import a as given", 1),
        ("print(found)", 0),
        ("foundation = x.found", 0),
    ],
)
def test_a_banned_identifier_is_counted_where_it_is_named(tmp_path: Path, source: str, count: int) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert len(code_figures.banned_identifiers(path)) == count


def test_a_parameter_that_is_not_described_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('def f(a, b, c):\n    """Do.\n\n    Args:\n        a, b: numbers.\n    """\n')
    assert [message.split()[-1] for message in code_figures.undocumented_parameters(path)] == ["c"]
