"""Griffe extension: `.. math::` blocks of docstrings as MathML, which browsers draw without a script."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe
from latex2mathml.converter import convert

BLOCK = re.compile(
    r"^\.\. math::[ \t]*(?P<line>[^\n]*)\n?"
    r"(?P<rest>(?:[ \t]+[^\n]+(?:\n|\Z)|\n(?=[ \t]+\S))*)",
    re.MULTILINE,
)


class MathBlocks(griffe.Extension):
    """Replace every `.. math::` block in a docstring by a MathML element."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one module, class or function."""
        if obj.docstring is not None:
            obj.docstring.value = BLOCK.sub(_mathml, obj.docstring.value)


def _mathml(match: re.Match[str]) -> str:
    latex = " ".join([match["line"], *textwrap.dedent(match["rest"]).splitlines()]).strip()
    return f"\n{convert(latex, display='block')}\n"
