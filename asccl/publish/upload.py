"""Upload a repository: privately, in one commit, compared with what the Hub returns, tagged, and only then public."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asccl.errors import PublishError, first_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

DOWNLOAD_THREADS = 8
GIT_ATTRIBUTES = ".gitattributes"  # the only file of a repository that was just created
UNAUTHORIZED, PAYMENT_REQUIRED, FORBIDDEN, NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 401, 402, 403, 404, 409, 412
REASONS = {
    UNAUTHORIZED: ("the Hub does not accept the token", "log in again with `hf auth login --force`"),
    PAYMENT_REQUIRED: ("this needs a paid plan of the Hub", "choose other hardware, or another account"),
    FORBIDDEN: ("the token may not write there", "choose a repository of your own, or a token with the role write"),
    NOT_FOUND: ("it does not exist, or the token may not read it", "correct the name of the repository"),
    PRECONDITION_FAILED: ("somebody else changed the repository meanwhile", "look at it, then run the command again"),
}
Print = Callable[[str], None]


@dataclass(frozen=True)
class Upload:
    """What is uploaded into one repository.

    Attributes:
        repo: "owner/name".
        kind: of the repository.
        files: name in the repository -> content, or the file that has it.
        licence: of the content, as the listing states it.
        marker: file and a text in it by which an existing repository is recognized as an earlier version of this one.
        settings: further arguments of `HfApi.create_repo`.
    """

    repo: str
    kind: Literal["model", "space"]
    files: Mapping[str, bytes | Path]
    licence: str
    marker: tuple[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def sizes(self) -> dict[str, int]:
        """Return name -> bytes."""
        return {name: len(c) if isinstance(c, bytes) else c.stat().st_size for name, c in self.files.items()}

    def checksums(self) -> dict[str, str]:
        """Return name -> sha256 in hex."""
        return {name: hashlib.sha256(_read(content)).hexdigest() for name, content in self.files.items()}


def account_name(api: HfApi) -> str:
    """Return the name of the account that a token belongs to. Raises PublishError where it may not write."""
    with hub_errors("the account"):
        account = api.whoami()
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise PublishError("the token may only read", "log in with a token whose role is write: `hf auth login`")
    return str(account["name"])


def publish(api: HfApi, upload: Upload, tag: str, report: Print) -> str:
    """Upload the files into the repository of `create_repository` in one commit, compare, and tag.

    Args:
        api: client of the Hub, logged in.
        upload: what to upload.
        tag: name for the commit.
        report: receives a line for each step.

    Returns:
        The commit.

    Raises:
        PublishError: a step failed; the repository then stays as private as it was.
    """
    expected = upload.checksums()
    revision = _commit(api, upload, tag, report)
    verify_upload(api, upload, revision, expected)
    report(f"{upload.repo}: downloaded again at {revision[:12]}, {len(expected)} files with the same sha256")
    create_tag(api, upload, tag, revision)
    report(f"{upload.repo}: tagged {tag}")
    return revision


def make_public(api: HfApi, upload: Upload, report: Print) -> None:
    """Make a repository public.

    Args:
        api: client of the Hub.
        upload: of the repository.
        report: receives a line.

    Raises:
        PublishError: the Hub refuses it.
    """
    with hub_errors(upload.repo):
        api.update_repo_settings(upload.repo, private=False, repo_type=upload.kind)
    report(f"{upload.repo}: public")


def create_repository(api: HfApi, upload: Upload, report: Print) -> None:
    """Create the private repository, unless an earlier version or an interrupted upload of it exists.

    Args:
        api: client of the Hub.
        upload: of the repository.
        report: receives a line.

    Raises:
        PublishError: the name is taken by something else.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        with hub_errors(upload.repo, passed=CONFLICT):
            api.create_repo(upload.repo, repo_type=upload.kind, private=True, **upload.settings)
        report(f"{upload.repo}: created, private")
    except HfHubHTTPError:
        if not _is_earlier_version(api, upload):
            raise PublishError(
                f"the name {upload.repo} is taken by another repository", "choose another with --repo OWNER/NAME"
            ) from None
        report(f"{upload.repo}: exists, gets a new commit")


def verify_upload(api: HfApi, upload: Upload, revision: str, expected: Mapping[str, str]) -> None:
    """Download every file of a commit into an empty cache and compare it with what was uploaded.

    Args:
        api: client of the Hub.
        upload: of the repository.
        revision: the commit.
        expected: name -> sha256.

    Raises:
        PublishError: a file differs or is missing.
    """
    with tempfile.TemporaryDirectory(prefix="asccl-publish-") as cache, ThreadPoolExecutor(DOWNLOAD_THREADS) as threads:

        def checksum(name: str) -> str:
            with hub_errors(f"{name} of {upload.repo}"):
                path = api.hf_hub_download(upload.repo, name, repo_type=upload.kind, revision=revision, cache_dir=cache)
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()

        for name, digest in zip(expected, threads.map(checksum, expected), strict=True):
            if digest != expected[name]:
                raise PublishError(
                    f"{name} of {upload.repo} at {revision[:12]} has sha256 {digest[:16]}..., "
                    f"but {expected[name][:16]}... was uploaded",
                    "it is neither tagged nor made public; run the command again",
                )


def create_tag(api: HfApi, upload: Upload, tag: str, revision: str) -> None:
    """Tag a commit, unless it has this tag already.

    Args:
        api: client of the Hub.
        upload: of the repository.
        tag: name for the commit.
        revision: the commit.

    Raises:
        PublishError: the tag names another commit.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        with hub_errors(f"the tag {tag} of {upload.repo}", passed=CONFLICT):
            api.create_tag(upload.repo, tag=tag, revision=revision, repo_type=upload.kind)
    except HfHubHTTPError:
        with hub_errors(upload.repo):
            tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(upload.repo, repo_type=upload.kind).tags}
        if tags.get(tag) != revision:
            raise PublishError(
                f"the tag {tag} of {upload.repo} names another commit", "choose another with --tag"
            ) from None


@contextmanager
def hub_errors(subject: str, passed: int | None = None) -> Iterator[None]:
    """Raise errors of the Hub, the connection and the token as PublishError.

    subject: what the block works on. passed: HTTP status that is raised as it is.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalTokenNotFoundError

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise PublishError("there is no token of the Hub", "log in with `hf auth login`, or set HF_TOKEN") from error
    except HfHubHTTPError as error:
        status = _status(error)
        if status == passed:
            raise
        reason, remedy = REASONS.get(status, (f"the Hub refuses it: {first_line(error)}", "try again later"))
        raise PublishError(f"{subject}: {reason}", remedy) from error
    except (HTTPError, OSError, RuntimeError, ValueError) as error:  # RuntimeError: an interrupted upload of a file
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise PublishError(
            f"{subject}: the work on the Hub was interrupted ({first_line(cause)})",
            "nothing became public; run the command again",
        ) from error


def _commit(api: HfApi, upload: Upload, tag: str, report: Print) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with hub_errors(upload.repo):
        head = api.repo_info(upload.repo, repo_type=upload.kind)
        names = set(api.list_repo_files(upload.repo, repo_type=upload.kind, revision=head.sha))
        removed = sorted(names - upload.files.keys() - {GIT_ATTRIBUTES})
        operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=c) for name, c in upload.files.items()]
        commit = api.create_commit(
            upload.repo,
            [*operations, *(CommitOperationDelete(path_in_repo=name) for name in removed)],
            commit_message=f"Publish {tag}",
            repo_type=upload.kind,
            parent_commit=head.sha,
        )
    report(f"{upload.repo}: {len(operations)} files in commit {commit.oid[:12]}")
    return commit.oid


def _is_earlier_version(api: HfApi, upload: Upload) -> bool:
    """Whether a repository is empty, or has the marker of this upload."""
    file, text = upload.marker
    with hub_errors(upload.repo):
        info = api.repo_info(upload.repo, repo_type=upload.kind)
        names = set(api.list_repo_files(upload.repo, repo_type=upload.kind, revision=info.sha))
        if names <= {GIT_ATTRIBUTES}:
            return bool(info.private)
        if file not in names:
            return False
        with tempfile.TemporaryDirectory(prefix="asccl-publish-") as cache:
            path = api.hf_hub_download(upload.repo, file, repo_type=upload.kind, revision=info.sha, cache_dir=cache)
            return text in Path(path).read_text(encoding="utf-8")


def _status(error: HfHubHTTPError) -> int:
    return 0 if error.response is None else error.response.status_code


def _read(content: bytes | Path) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()
