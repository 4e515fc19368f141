"""The changelog of this project: what the next version brings, and that section under the version's name."""

from __future__ import annotations

import re
from datetime import date

from asccl.errors import InputError

HEADING = "## Unreleased\n"
SECTION = re.compile(r"^## Unreleased\n(?P<notes>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def unreleased_notes(changelog: str) -> str:
    """Return the text of the section "Unreleased". Raises InputError where it is missing or empty."""
    match = SECTION.search(changelog)
    if match is None:
        raise InputError("CHANGELOG.md has no section Unreleased", "add the heading `## Unreleased`")
    notes = match["notes"].strip()
    if not [line for line in notes.splitlines() if line.strip() and not line.startswith("#")]:
        raise InputError("the section Unreleased of CHANGELOG.md is empty", "say in it what changed")
    return notes


def name_release(changelog: str, version: str, day: date) -> str:
    """Turn the section "Unreleased" into that of a version, below a new and empty one.

    Args:
        changelog: text of the file.
        version: such as "1.0.2".
        day: of the release.

    Returns:
        The new text.

    Raises:
        InputError: the section is missing or empty, or the version has a section already.
    """
    unreleased_notes(changelog)
    heading = f"## {version} - "
    if re.search(rf"^{re.escape(heading)}", changelog, re.MULTILINE):
        raise InputError(f"CHANGELOG.md has a section of {version} already", "choose a higher version")
    return changelog.replace(HEADING, f"{HEADING}\n{heading}{day.isoformat()}\n", 1)
