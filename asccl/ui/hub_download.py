"""Download public weights of the Hub for a visitor: bounded in size, without the server's token, with progress."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asccl import hub, tensor_files
from asccl.errors import LimitError, SettingError, WeightsError, first_line

MAX_BYTES = 512 * 2**20  # of one file; NED's renderer of full size has 283 MB
MIN_FREE_BYTES = 2 * 2**30  # of the disk after a download
POLL_INTERVAL = 0.3  # seconds between two progress messages
REQUIRED_FORM = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}:[\w./-]+")  # a commit never changes


@dataclass(frozen=True)
class HubWeights:
    """Downloaded weights.

    Attributes:
        source: "owner/name@commit:file", for `hub.resolve`.
        kind: of the file.
        size: bytes.
    """

    source: str
    kind: str
    size: int


async def download_in_thread(name: str, kinds: Mapping[str, str]) -> AsyncIterator[float | HubWeights]:
    """Yield the share of the download, and the weights last. Raises the errors of `download_weights`.

    name: "owner/name". kinds: that fit, with their descriptions.
    """
    results: list[HubWeights | BaseException] = []
    shares = [0.0]

    def work() -> None:
        try:
            results.append(download_weights(name, kinds, shares.append))
        except BaseException as error:  # raised by the consumer
            results.append(error)

    thread = threading.Thread(target=work, name="asccl-hub", daemon=True)
    thread.start()
    while thread.is_alive():
        yield shares[-1]
        await asyncio.sleep(POLL_INTERVAL)
    if isinstance(results[0], BaseException):
        raise results[0]
    yield results[0]


def download_weights(name: str, kinds: Mapping[str, str], report: Callable[[float], None]) -> HubWeights:
    """Download the file of a public repository, or take it from the cache.

    Args:
        name: "owner/name", as `hub.resolve` takes it.
        kinds: that fit, with their descriptions.
        report: called with the share of the download, 0 to 1.

    Returns:
        The weights, pinned to a commit.

    Raises:
        SettingError: this is no repository.
        LimitError: the file is too large.
        WeightsError: it cannot be downloaded, or is of another kind.
    """
    match = hub.REPOSITORY.fullmatch(name)
    if match is None:
        raise SettingError(f"{name} is not the name of a Hub repository", "write OWNER/NAME")
    repo, file = match["repo"], match["file"] or hub.REPOSITORY_FILE
    size = _look_up_size(repo, match["revision"], file)
    if size is not None and size > MAX_BYTES:
        raise LimitError(
            f"{file} of {repo} has {size / 2**20:.0f} MiB, and the app takes {MAX_BYTES >> 20}",
            "use the command line on a machine of your own",
        )
    _check_disk(size or 0)
    path = hub.resolve(name, download={"token": False, "tqdm_class": _progress_class(report)})
    kind = tensor_files.read_metadata(path).get("kind", "unknown")
    if kind not in kinds:
        raise WeightsError(f"{repo} has weights of the kind {kind}", f"name {' or '.join(kinds.values())}")
    commit = path.parts[len(path.parts) - len(Path(file).parts) - 1]  # .../snapshots/COMMIT/FILE
    return HubWeights(f"{repo}@{commit}:{file}", kind, path.stat().st_size)


def find_downloaded(source: str, kinds: Mapping[str, str]) -> tuple[Path, str]:
    """Return path and kind of downloaded weights; nothing is downloaded here.

    source: `HubWeights.source`. kinds: that fit. Raises WeightsError for others, and where the cache lacks the file.
    """
    if REQUIRED_FORM.fullmatch(source) is None:
        raise WeightsError(f"{source} is not a file of a Hub repository at a commit", "load it first")
    path = hub.resolve(source, download={"token": False, "local_files_only": True})
    kind = tensor_files.read_metadata(path).get("kind", "")
    if kind not in kinds:
        raise WeightsError(f"{source} has weights of the kind {kind or 'unknown'}", "load others")
    return path, kind


def _check_disk(size: int) -> None:
    """Raise LimitError where a download of so many bytes would leave too little space."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    if shutil.disk_usage(folder).free - size < MIN_FREE_BYTES:
        raise LimitError("this server has no space for further weights", "use those that it has, or try again later")


def _look_up_size(repo: str, revision: str | None, file: str) -> int | None:
    """Return the size of a file on the Hub in bytes; None where the Hub cannot be reached."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        return get_hf_file_metadata(hf_hub_url(repo, file, revision=revision), token=False).size
    except (EntryNotFoundError, HfHubHTTPError) as error:
        raise WeightsError(
            f"there is no public {file} of {repo} on the Hub ({first_line(error)})", "correct the name"
        ) from error
    except (HTTPError, OfflineModeIsEnabled, OSError):  # the cache may have it
        return None


def _progress_class(report: Callable[[float], None]) -> type:
    """Return a progress bar that prints nothing and reports its share."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        """Reports instead of printing."""

        def __init__(self, *arguments: Any, **options: Any):
            super().__init__(*arguments, **{**options, "disable": True})
            self._total, self._done = options.get("total") or 0, float(options.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            self._done += n or 0
            if self._total:
                report(min(self._done / self._total, 1.0))
            return super().update(n)

    return Bar
