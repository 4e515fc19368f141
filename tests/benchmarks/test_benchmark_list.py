"""`python -m benchmarks` runs every benchmark that needs no arguments, and hands `--json` to each."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from benchmarks.__main__ import FOLDER, REQUIRES_ARGUMENTS, find_benchmarks
from benchmarks.report import format_value

BENCHMARKS = {name: module for name, (module, _) in find_benchmarks().items()}
SHARED_PARSERS = {"parse_arguments"}  # of another benchmark, with --json


def parser_calls(module: str) -> Iterator[ast.Call]:
    """Yield the calls of a module that add arguments, or groups of them, to a parser."""
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in (
            "add_argument",
            "add_mutually_exclusive_group",
        ):
            yield node


def is_required(call: ast.Call) -> bool:
    """Whether a command line without this argument is refused."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if isinstance(required := keywords.get("required"), ast.Constant):
        return bool(required.value)
    names = [ast.literal_eval(arg) for arg in call.args if isinstance(arg, ast.Constant)]
    nargs = keywords.get("nargs")
    is_optional = isinstance(nargs, ast.Constant) and nargs.value in ("*", "?")
    return bool(names) and not names[0].startswith("-") and not is_optional


@pytest.mark.parametrize("name", BENCHMARKS)
def test_what_needs_arguments_is_not_run_without(name) -> None:
    assert name in REQUIRES_ARGUMENTS or not any(is_required(call) for call in parser_calls(BENCHMARKS[name]))


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in REQUIRES_ARGUMENTS])
def test_every_other_benchmark_takes_the_file_of_json_lines(name) -> None:
    tree = ast.parse((FOLDER / f"{BENCHMARKS[name]}.py").read_text(encoding="utf-8"))
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert "--json" in constants or imported & SHARED_PARSERS


def test_every_name_that_requires_arguments_is_a_benchmark() -> None:
    assert set(REQUIRES_ARGUMENTS) <= set(BENCHMARKS)


@pytest.mark.parametrize(("value", "text"), [(12, "12"), (0.25, "0.250"), ("yes", "yes")])
def test_a_whole_number_is_printed_without_decimals(value, text) -> None:
    assert format_value(value).strip() == text
