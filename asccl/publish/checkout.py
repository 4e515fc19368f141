"""The checkout that is published: only what git tracks, and only when nothing in it is uncommitted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from asccl.errors import InputError, PublishError

PROJECT = Path(__file__).parent.parent.parent
MAX_LISTED_CHANGES = 3
MAIN_BRANCH = "main"
TAG_PREFIX = "v"
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
NO_CHECKOUT = ("not a git repository", "dubious ownership", "cannot change to")


def check_clean(root: Path) -> str:
    """Return the commit of a checkout. Raises InputError where it has uncommitted changes or is no checkout."""
    if Path(run_git(root, "rev-parse", "--show-toplevel").strip()).resolve() != root.resolve():
        raise _not_a_checkout(root)  # but a folder inside another project, for example an installed package
    changes = run_git(root, "status", "--porcelain").splitlines()
    if changes:
        names = ", ".join(line[3:] for line in changes[:MAX_LISTED_CHANGES])
        more = f" and {len(changes) - MAX_LISTED_CHANGES} more" if len(changes) > MAX_LISTED_CHANGES else ""
        raise InputError(f"{root} has uncommitted changes ({names}{more})", "commit or remove them first")
    return run_git(root, "rev-parse", "HEAD").strip()


def check_main_branch(root: Path) -> None:
    """Raise InputError unless the checkout is on the main branch."""
    branch = run_git(root, "branch", "--show-current").strip()
    if branch != MAIN_BRANCH:
        place = f"on the branch {branch}" if branch else "on no branch"
        raise InputError(f"{root} is {place}, not on {MAIN_BRANCH}", f"run `git switch {MAIN_BRANCH}` first")


def last_version(root: Path) -> tuple[int, int, int] | None:
    """Return the highest version among the tags of a checkout, such as (1, 0, 2) of v1.0.2; None without one."""
    tags = run_git(root, "tag", "--list", f"{TAG_PREFIX}*").split()
    versions = [parse_version(tag.removeprefix(TAG_PREFIX)) for tag in tags]
    return max(filter(None, versions), default=None)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Parse "1.0.2"; None for anything else."""
    match = VERSION.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def tracked_files(root: Path) -> list[str]:
    """List the files that git tracks, relative to the checkout. Raises InputError."""
    return [name for name in run_git(root, "ls-files", "-z").split("\0") if name]


def run_git(root: Path, *arguments: str) -> str:
    """Run git in a folder.

    Returns:
        What it prints.

    Raises:
        InputError: git is missing, or the folder is no checkout.
        PublishError: git refuses.
    """
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise InputError("git is not installed", "install it: only a clean checkout is published") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it gave no reason"]
        if any(text in done.stderr for text in NO_CHECKOUT):
            raise _not_a_checkout(root)
        raise PublishError(f"`git {arguments[0]}` failed ({lines[-1].strip()})", "correct that, then try again")
    return done.stdout


def _not_a_checkout(root: Path) -> InputError:
    return InputError(f"{root} is not a checkout of this project", "run this command in a clone of its repository")
