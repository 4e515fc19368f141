"""Write repository and revision of published weights into the table of `asccl/hub.py`."""

from __future__ import annotations

import difflib
import re

from asccl.errors import PublishError


def set_repository(source: str, name: str, repo: str, revision: str) -> str:
    """Set `repo` and `revision` of one entry.

    Args:
        source: text of `asccl/hub.py`.
        name: of the weights.
        repo: "owner/name".
        revision: the commit.

    Returns:
        The new text.

    Raises:
        PublishError: the table has no such entry.
    """
    entry = re.search(rf'    WeightsFile\(\n        name="{re.escape(name)}",\n(?:        .*\n)*?    \),\n', source)
    if entry is None:
        raise PublishError(f"the table of asccl/hub.py has no entry {name}", "add one with its sha256 first")
    lines = [line for line in entry[0].splitlines() if not line.startswith(("        repo=", "        revision="))]
    added = [f'        repo="{repo}",', f'        revision="{revision}",']
    text = "\n".join([*lines[:-1], *added, lines[-1]]) + "\n"
    return source[: entry.start()] + text + source[entry.end() :]


def format_diff(old: str, new: str, file: str = "asccl/hub.py") -> str:
    """Format the difference of two texts of a file as git does.

    Args:
        old: text before.
        new: text after.
        file: its name.
    """
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{file}", f"b/{file}")
    return "".join(lines)
