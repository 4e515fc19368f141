"""Count what the style guide forbids, and the size of the code base.

    python -m benchmarks.code_figures            # this checkout
    python -m benchmarks.code_figures ../before  # another one, for a comparison

The tests use the functions of this module: `tests/test_language.py` fails where a count that must be zero is not.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import print_rows

ROOT = Path(__file__).parent.parent
PACKAGES = ("asccl", "training", "benchmarks")
# Words that say nothing about the content of a variable. Source: the project's style guide.
BANNED_IDENTIFIERS = frozenset(
    {
        *("found", "told", "seen", "made", "shown", "taught", "untaught", "given", "wanted", "there", "here", "whole"),
        *("drawn", "looked", "learnt", "made_up"),
    }
)
MIN_DOCUMENTED_PARAMETERS = 3  # from this number on, a public function describes every parameter under Args
FORMATTER_OFF = re.compile(r"#\s*fmt:\s*(skip|off)")
BARE_TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(\[[\w\-, ]+\])?\s*$")
ARGS_SECTION = re.compile(r"^(?:Args|Attributes):\n(.*?)(?=^\S|\Z)", re.DOTALL | re.MULTILINE)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(root: Path, packages: tuple[str, ...] = PACKAGES) -> list[Path]:
    """Return the Python files of some packages of a checkout, sorted."""
    return sorted(path for package in packages for path in (root / package).rglob("*.py"))


def assigned_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of all variables, parameters, functions, classes and attributes that a module names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, FunctionNode | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def banned_identifiers(path: Path) -> list[str]:
    """Return "file:line name" of every banned identifier, whatever its case and leading underscores."""
    names = assigned_names(ast.parse(path.read_text(encoding="utf-8")))
    return [f"{path}:{line} {name}" for line, name in names if name.strip("_").lower() in BANNED_IDENTIFIERS]


def matching_lines(path: Path, pattern: re.Pattern[str]) -> list[str]:
    """Return "file:line" of every line that a pattern matches."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [f"{path}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]


def public_functions(tree: ast.Module) -> Iterator[tuple[FunctionNode, str]]:
    """Yield the public functions and methods of a module with the docstring that has to describe their parameters.

    The parameters of `__init__` may be described in the docstring of the class.
    """
    for node in tree.body:
        if isinstance(node, FunctionNode) and not node.name.startswith("_"):
            yield node, ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for member in node.body:
                if isinstance(member, FunctionNode) and (
                    not member.name.startswith("_") or member.name in ("__init__", "__call__")
                ):
                    of_class = ast.get_docstring(node) or "" if member.name == "__init__" else ""
                    yield member, f"{ast.get_docstring(member) or ''}\n{of_class}"


def undocumented_parameters(path: Path) -> list[str]:
    """Return "file:line function: parameters" where a public function with three or more parameters omits some."""
    messages = []
    for function, docstring in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
        arguments = function.args
        parameters = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        parameters = [name for name in parameters if name not in ("self", "cls")]
        described = "\n".join(ARGS_SECTION.findall(docstring))
        missing = [p for p in parameters if not re.search(rf"(^|[\s,*]){re.escape(p)}\b[^:\n]*:", described)]
        if len(parameters) >= MIN_DOCUMENTED_PARAMETERS and missing:
            messages.append(f"{path}:{function.lineno} {function.name}: {', '.join(missing)}")
    return messages


def import_cycles(root: Path) -> list[list[str]]:
    """Return the groups of modules of `asccl` that import each other, imports inside functions included."""
    import grimp
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    sys.path.insert(0, str(root))
    try:
        graph = grimp.build_graph("asccl", exclude_type_checking_imports=True, cache_dir=None)
    finally:
        sys.path.remove(str(root))
    modules = sorted(graph.modules)
    index = {name: number for number, name in enumerate(modules)}
    edges = [(index[a], index[b]) for a in modules for b in graph.find_modules_directly_imported_by(a)]
    rows, columns = np.array(edges).T
    adjacency = coo_matrix((np.ones(len(edges)), (rows, columns)), (len(modules), len(modules)))
    _, labels = connected_components(adjacency, connection="strong")
    groups = [[modules[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    return [group for group in groups if len(group) > 1]


def lines_of_code(path: Path) -> int:
    """Count the lines of a file that hold code: no blank lines, no comments, no docstrings."""
    source = path.read_text(encoding="utf-8")
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FunctionNode | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
            lines.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def figures(root: Path) -> dict[str, int]:
    """Return all counts of a checkout by name."""
    files = python_files(root)
    tests = python_files(root, ("tests",))
    functions = [f for path in files for f, _ in public_functions(ast.parse(path.read_text(encoding="utf-8")))]
    return {
        "modules in the root of asccl": len(list((root / "asccl").glob("*.py"))),
        "import cycles": len(import_cycles(root)),
        "banned identifiers": sum(len(banned_identifiers(path)) for path in files),
        "fmt: skip": sum(len(matching_lines(path, FORMATTER_OFF)) for path in [*files, *tests]),
        "type: ignore without a reason": sum(len(matching_lines(path, BARE_TYPE_IGNORE)) for path in files),
        "public functions that omit parameters": sum(len(undocumented_parameters(path)) for path in files),
        "public functions": len(functions),
        "lines of Python": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in [*files, *tests]),
        "lines of Python without tests": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files),
        "of them code (no blanks, comments, docstrings)": sum(lines_of_code(path) for path in files),
    }


def main() -> None:
    """Print the figures of a checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="a checkout; default: this one")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    print_rows("code_figures", figures(arguments.root.resolve()), arguments.json)


if __name__ == "__main__":
    main()
