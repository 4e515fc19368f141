"""The checkout that is published: only what git tracks, and only when nothing in it is uncommitted."""

from __future__ import annotations

import subprocess
from pathlib import Path

from asccl.errors import InputError

PROJECT = Path(__file__).parent.parent.parent
MAX_LISTED_CHANGES = 3


def check_clean(root: Path) -> str:
    """Return the commit of a checkout. Raises InputError where it has uncommitted changes or is no checkout."""
    changes = _git(root, "status", "--porcelain").splitlines()
    if changes:
        names = ", ".join(line[3:] for line in changes[:MAX_LISTED_CHANGES])
        more = f" and {len(changes) - MAX_LISTED_CHANGES} more" if len(changes) > MAX_LISTED_CHANGES else ""
        raise InputError(f"{root} has uncommitted changes ({names}{more})", "commit or remove them first")
    return _git(root, "rev-parse", "HEAD").strip()


def tracked_files(root: Path) -> list[str]:
    """List the files that git tracks, relative to the checkout. Raises InputError."""
    return [name for name in _git(root, "ls-files", "-z").split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise InputError("git is not installed", "install it: only a clean checkout is published") from error
    if done.returncode:
        raise InputError(f"{root} is not a checkout of this project", "run this command in a clone of its repository")
    return done.stdout
