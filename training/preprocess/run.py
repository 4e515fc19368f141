"""The command `training.prepare`: find videos and labels, run the jobs that are missing, keep the manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from asccl.data import mead, ravdess
from asccl.data.labels import Labels, read_labels
from asccl.data.manifest import CLIPS_FOLDER, MANIFEST, ClipRecord, is_intact, read_manifest
from asccl.errors import AscclError, InputError, OutputError, SettingError
from asccl.files import write_atomic
from asccl.types import EMOTIONS
from training.preprocess.clip import ClipJob, clip_settings, prepare_clip
from training.preprocess.workers import JobResult, available_cores, run_in_processes, run_on_ray, run_serially

FAILURES_FILE = "failed.jsonl"
TRAINING_VIDEO_SUFFIXES = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
MIN_SIZE = 32  # pixels


@dataclass(frozen=True)
class PrepareSettings:
    """Settings of `training.prepare`.

    Attributes:
        videos: video files, and folders of which all videos are prepared.
        output: folder to make or to continue.
        size: side of an image, pixels.
        labels: CSV file with the columns file, person, emotion, words, level and view.
        workers: number of processes; 0 uses this process alone, by default there are as many as cores.
        ray: "auto", "local" or "ray://HOST:10001", the address of a Ray cluster whose machines see the same folders.
        max_seconds: largest length of a video.
    """

    videos: tuple[Path, ...] = field(metadata={"positional": "+"})
    output: Path = Path("build/prepared")
    size: int = 256
    labels: Path | None = None
    workers: int | None = None
    ray: str | None = None
    max_seconds: float = 600.0


def main(settings: PrepareSettings) -> int:
    """Prepare videos. Returns the exit status: 0, or that of the worst video that cannot be used. Raises AscclError."""
    if settings.size < MIN_SIZE or settings.max_seconds <= 0 or (settings.workers or 0) < 0:
        raise SettingError(
            "size, max_seconds or workers is too small", f"give {MIN_SIZE} pixels, 1 s, 0 workers or more"
        )
    videos = find_videos(settings.videos)
    labels = find_labels(videos, settings.labels)
    unknown_emotions = {labels[name].emotion for name in videos} - {None, *EMOTIONS}
    usable = {name: path for name, path in videos.items() if labels[name].emotion in (None, *EMOTIONS)}
    records = load_finished_clips(settings, usable)
    records |= {name: replace(record, **asdict(labels[name])) for name, record in records.items() if name in labels}
    folder = settings.output.resolve()
    jobs = [
        ClipJob(path.resolve(), name, folder, settings.size, settings.max_seconds)
        for name, path in usable.items()
        if name not in records
    ]
    failures: list[dict[str, Any]] = []
    status = 0
    for job, fields, error in tqdm(run_jobs(settings, jobs), total=len(jobs), unit="clip", disable=None):
        if isinstance(error, OutputError):
            raise error
        if fields is not None:
            records[job.source] = ClipRecord(**fields, **asdict(labels[job.source]))
            append_record(settings.output, records[job.source])
        else:
            failures.append({"source": job.source, "error": type(error).__name__, "reason": str(error)})
            status = max(status, error.exit_status if isinstance(error, AscclError) else 1)
    write_manifest(settings.output, records)
    write_failures(settings.output, failures)
    skipped = f", left out: {', '.join(sorted(filter(None, unknown_emotions)))}" if unknown_emotions else ""
    print(f"{settings.output}: {len(records)} clips, {len(jobs) - len(failures)} of them new{skipped}")
    if failures:
        first = failures[0]["reason"]
        print(f"{len(failures)} videos cannot be used, see {settings.output / FAILURES_FILE}; the first: {first}")
    return status


def find_videos(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Find videos in files and folders.

    Returns:
        Name in the manifest -> file. The name is the path below the common folder of all `paths`; in MEAD, from the
        person on.

    Raises:
        InputError: a path does not exist, or there are no videos.
        SettingError: two videos would become the same file.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise InputError(f"there is no {', '.join(missing)}", "check the names")
    files = sorted({file.absolute() for path in paths for file in _videos_in(path)})
    if not files:
        raise InputError(
            f"no videos in {', '.join(map(str, paths))}", f"give {', '.join(sorted(TRAINING_VIDEO_SUFFIXES))} files"
        )
    root = Path(os.path.commonpath([(path if path.is_dir() else path.parent).absolute() for path in paths]))
    names = {mead.clip_name(file) or file.relative_to(root).as_posix(): file for file in files}
    stems: dict[Path, str] = {}
    for name in names:
        other = stems.setdefault(Path(name).with_suffix(""), name)
        if other != name:
            raise SettingError(f"{other} and {name} would become one file", "rename one of them")
    return names


def _videos_in(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.suffix.lower() in TRAINING_VIDEO_SUFFIXES and file.is_file()]


def find_labels(videos: dict[str, Path], table: Path | None) -> dict[str, Labels]:
    """Return the labels of every video: from a table, or else from its file name. Raises InputError."""
    listed = read_labels(table) if table is not None else {}
    unknown = sorted(listed.keys() - videos.keys())
    if unknown:
        raise InputError(
            f"{table} names {unknown[0]}, which is not among the videos", f"names look like {next(iter(videos))}"
        )
    return {
        name: listed.get(name) or mead.parse_labels(path.absolute()) or ravdess.parse_labels(path) or Labels()
        for name, path in videos.items()
    }


def load_finished_clips(settings: PrepareSettings, videos: dict[str, Path]) -> dict[str, ClipRecord]:
    """Load the intact clips of the output folder and remove the rest of a killed run.

    Args:
        settings: of the command.
        videos: name in the manifest -> file.

    Returns:
        Name in the manifest -> record.

    Raises:
        SettingError: the folder holds clips of other settings or other videos.
        InputError: the manifest is damaged.
    """
    folder = settings.output
    for part in folder.glob(f"{CLIPS_FOLDER}/**/.*.part"):
        part.unlink(missing_ok=True)
    records: dict[str, ClipRecord] = {}
    lost = 0
    for record in read_manifest(folder, partial=True):
        if record.settings != clip_settings(settings.size):
            raise SettingError(
                f"{folder} holds clips made with {record.settings}", "give the same settings, or another -o"
            )
        video = videos.get(record.source)
        if video is not None and video.stat().st_size != record.source_bytes:
            raise SettingError(
                f"{folder} holds another video as {record.source}", "give another -o, or the folder above both"
            )
        if is_intact(folder, record):
            records[record.source] = record
        lost += record.source not in records and record.source not in videos
    if lost:
        print(f"{lost} clips of {folder} are missing or altered and are dropped: give their videos to make them again")
    write_manifest(folder, records)
    return records


def run_jobs(settings: PrepareSettings, jobs: list[ClipJob]) -> Iterator[JobResult[ClipJob, dict[str, Any]]]:
    """Run the jobs where the settings say, and yield their results."""
    if settings.ray is not None:
        return run_on_ray(prepare_clip, jobs, settings.ray)
    workers = min(len(jobs), available_cores() if settings.workers is None else settings.workers)
    return run_in_processes(prepare_clip, jobs, workers) if workers else run_serially(prepare_clip, jobs)


def append_record(folder: Path, record: ClipRecord) -> None:
    """Append a line to the manifest and flush it to disk. Raises OutputError."""
    try:
        with (folder / MANIFEST).open("a", encoding="utf-8") as file:
            file.write(record.to_json_line())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(
            f"{folder / MANIFEST} cannot be written ({error})", "free some space, then start again"
        ) from error


def write_manifest(folder: Path, records: dict[str, ClipRecord]) -> None:
    """Write the manifest, sorted by name. Raises OutputError."""
    write_atomic(folder / MANIFEST, "".join(records[name].to_json_line() for name in sorted(records)).encode())


def write_failures(folder: Path, failures: list[dict[str, Any]]) -> None:
    """Write the list of the videos that could not be used in this run; delete it where there are none."""
    if failures:
        lines = [json.dumps(row, sort_keys=True) + "\n" for row in sorted(failures, key=lambda row: row["source"])]
        write_atomic(folder / FAILURES_FILE, "".join(lines).encode())
    else:
        (folder / FAILURES_FILE).unlink(missing_ok=True)
