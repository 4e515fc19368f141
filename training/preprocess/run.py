"""Turn videos into what trainings read: tracked crops, coefficients, poses, sound, labels, and a manifest.

    python -m training.prepare VIDEOS_OR_FOLDERS -o build/prepared --preset cpu
    python -m training.prepare /data/MEAD/*/video/front -o /data/prepared --preset paper --ray auto

Stop it, kill it, start it again: what is done stays done. Names of MEAD's and RAVDESS's files say who is to be seen
with which emotion; for others give --labels. What cannot be used is named in failed.jsonl, and the others go on.
docs/training.md has the rest.
"""

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
from training.preprocess.workers import Done, cores, here, in_processes, on_ray

FAILED = "failed.jsonl"
SUFFIXES = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
SMALLEST = 32  # pixels


@dataclass(frozen=True)
class PrepareSettings:
    """videos: files, and folders whose videos are all taken. output: the folder to make or to go on with. size: pixels
    of a picture's side. labels: CSV file, see `asccl.data.labels`. workers: processes, 0 for this one alone, as many as
    there are cores by default. ray: address of a cluster instead, see `on_ray`; its machines must see the same folders.
    longest: seconds of a video."""

    videos: tuple[Path, ...] = field(metadata={"positional": "+"})
    output: Path = field(default=Path("build/prepared"), metadata={"short": "-o"})
    size: int = 256
    labels: Path | None = None
    workers: int | None = None
    ray: str | None = None
    max_seconds: float = 600.0


def main(settings: PrepareSettings) -> int:
    if settings.size < SMALLEST or settings.max_seconds <= 0 or (settings.workers or 0) < 0:
        raise SettingError("size, longest or workers is too small", f"give {SMALLEST} pixels, 1 s, 0 workers or more")
    videos = find_videos(settings.videos)
    labels = known_labels(videos, settings.labels)
    left_out = {labels[name].emotion for name in videos} - {None, *EMOTIONS}
    wanted = {name: path for name, path in videos.items() if labels[name].emotion in (None, *EMOTIONS)}
    done = go_on(settings, wanted)
    done |= {name: replace(row, **asdict(labels[name])) for name, row in done.items() if name in labels}
    jobs = [ClipJob(path.resolve(), name, settings.output.resolve(), settings.size, settings.max_seconds)
            for name, path in wanted.items() if name not in done]  # fmt: skip
    failed: list[dict[str, Any]] = []
    status = 0
    bar = tqdm(start(settings, jobs), total=len(jobs), unit="clip", disable=None)
    for job, told, error in bar:
        if isinstance(error, OutputError):
            raise error
        if told is not None:
            done[job.source] = ClipRecord(**told, **asdict(labels[job.source]))
            remember(settings.output, done[job.source])
        else:
            failed.append({"source": job.source, "error": type(error).__name__, "reason": str(error)})
            status = max(status, error.exit_status if isinstance(error, AscclError) else 1)
    finish(settings.output, done, failed)
    told = f", left out: {', '.join(sorted(filter(None, left_out)))}" if left_out else ""
    print(f"{settings.output}: {len(done)} clips, {len(jobs) - len(failed)} of them new{told}")
    if failed:
        print(f"{len(failed)} could not be used, see {settings.output / FAILED}; the first: {failed[0]['reason']}")
    return status


def find_videos(given: tuple[Path, ...]) -> dict[str, Path]:
    """Name in the manifest -> file: the path below the folder that holds everything given; in MEAD, from the person on.
    Raises InputError, SettingError."""
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        raise InputError(f"there is no {', '.join(missing)}", "check the names")
    files = sorted({file.absolute() for path in given for file in _inside(path)})
    if not files:
        raise InputError(f"no videos in {', '.join(map(str, given))}", f"give {', '.join(sorted(SUFFIXES))} files")
    root = Path(os.path.commonpath([(path if path.is_dir() else path.parent).absolute() for path in given]))
    names = {mead.clip_name(file) or file.relative_to(root).as_posix(): file for file in files}
    stems: dict[Path, str] = {}
    for name in names:
        twin = stems.setdefault(Path(name).with_suffix(""), name)
        if twin != name:
            raise SettingError(f"{twin} and {name} would become one file", "rename one of them")
    return names


def _inside(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]


def known_labels(videos: dict[str, Path], table: Path | None) -> dict[str, Labels]:
    """Of every video: the table's, or what its name says, or none. Raises InputError."""
    listed = read_labels(table) if table is not None else {}
    strange = sorted(listed.keys() - videos.keys())
    if strange:
        raise InputError(
            f"{table} names {strange[0]}, which is not among the videos", f"names look like {next(iter(videos))}"
        )
    return {
        name: listed.get(name) or mead.parse_labels(path.absolute()) or ravdess.parse_labels(path) or Labels()
        for name, path in videos.items()
    }


def go_on(settings: PrepareSettings, videos: dict[str, Path]) -> dict[str, ClipRecord]:
    """What is done already, by name of the source; removes what a killed run has left behind. Raises SettingError,
    InputError."""
    folder = settings.output
    for part in folder.glob(f"{CLIPS_FOLDER}/**/.*.part"):
        part.unlink(missing_ok=True)
    done: dict[str, ClipRecord] = {}
    lost = 0
    for row in read_manifest(folder, partial=True):
        if row.settings != clip_settings(settings.size):
            raise SettingError(
                f"{folder} holds clips made with {row.settings}", "give the same settings, or another -o"
            )
        video = videos.get(row.source)
        if video is not None and video.stat().st_size != row.source_bytes:
            raise SettingError(
                f"{folder} holds another video as {row.source}", "give another -o, or the folder above both"
            )
        if is_intact(folder, row):
            done[row.source] = row
        lost += row.source not in done and row.source not in videos
    if lost:
        print(
            f"{lost} clips of {folder} are missing or altered and are forgotten: hand in their videos to make them anew"
        )
    _rewrite(folder, done)
    return done


def start(settings: PrepareSettings, jobs: list[ClipJob]) -> Iterator[Done[ClipJob, dict[str, Any]]]:
    if settings.ray is not None:
        return on_ray(prepare_clip, jobs, settings.ray)
    workers = min(len(jobs), cores() if settings.workers is None else settings.workers)
    return in_processes(prepare_clip, jobs, workers) if workers else here(prepare_clip, jobs)


def remember(folder: Path, row: ClipRecord) -> None:
    """Add a line to the manifest, now. Raises OutputError."""
    try:
        with (folder / MANIFEST).open("a", encoding="utf-8") as file:
            file.write(row.to_json_line())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"{folder / MANIFEST} cannot be written ({error})", "free some space, then go on") from error


def finish(folder: Path, done: dict[str, ClipRecord], failed: list[dict[str, Any]]) -> None:
    """Bring the manifest into the order of names, and tell what failed this time."""
    _rewrite(folder, done)
    if failed:
        lines = [json.dumps(row, sort_keys=True) + "\n" for row in sorted(failed, key=lambda row: row["source"])]
        write_atomic(folder / FAILED, "".join(lines).encode())
    else:
        (folder / FAILED).unlink(missing_ok=True)


def _rewrite(folder: Path, done: dict[str, ClipRecord]) -> None:
    write_atomic(folder / MANIFEST, "".join(done[name].to_json_line() for name in sorted(done)).encode())
