"""What happens behind the widgets. Pure: everything comes in by arguments and goes out by return values.

The only things kept are the editor and the limits, the same for everybody, and which edit runs for which page. One
person's choices live in their own browser, their files in folders of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.errors import SettingError
from asccl.types import GENERATORS, EditRequest, EditResult, Image, Progress
from asccl.ui import report as words
from asccl.ui.components import Value, clips, facts, pair
from asccl.ui.engine import EditorLike
from asccl.ui.limits import check, check_upload, length
from asccl.ui.run import Job, JobRegistry
from asccl.ui.values import LARGEST, choice, describe, no_faces, note, outside, sentence, sliders, still_suffix
from asccl.video.limits import Limits
from asccl.video.reader import Reader

FROM_REFERENCE = "reference"  # the eighth button: the emotion of the reference clip alone
ROUNDING = 0.01  # seconds: the sliders show hundredths
POLL = 0.4  # seconds between two looks at a running edit


@dataclass(frozen=True)
class Handlers:
    editor: EditorLike
    limits: Limits
    folder: Path | None = None  # where runs put their temporary folders
    runs: JobRegistry = field(default_factory=JobRegistry)

    def open(self, source: str | None) -> Iterator[tuple[Any, ...]]:
        """Looks at an upload: card, faces to choose from, chosen face, and the sliders that its length bounds.

        The last value is one line for the live region: empty when all is well. Yields that it is looking, then this.
        """
        if not source:
            yield (None, *no_faces(), *sliders(None), words.status("idle", ""))
            return
        yield (None, *[gr.skip()] * 6, words.status("busy", "Looking for faces…"))
        yield self.look(source)

    def look(self, source: str) -> tuple[Any, ...]:
        try:
            path = check_upload(source, "video or photo")
            info = self.editor.probe(path)
            check(info, self.limits)
            faces = self.editor.faces(path)
        except Exception as error:
            return (None, *no_faces(), *sliders(None), words.status("failed", sentence(error)))
        card = facts(faces[0].thumbnail, path.name, describe(info))
        return (card, *choice(faces), *sliders(info), words.status("idle", ""))

    def open_reference(self, reference: str | None, emotion: str) -> tuple[Any, Any, str]:
        """A look at the reference; choosing one presses its button, taking it away releases it."""
        if not reference:
            return None, gr.skip() if emotion != FROM_REFERENCE else "happy", words.status("idle", "")
        try:
            path = check_upload(reference, "reference")
            info = self.editor.probe(path)
            check(info, self.limits)
            faces = self.editor.faces(path)
        except Exception as error:
            return None, gr.skip(), words.status("failed", sentence(error))
        return facts(faces[0].thumbnail, path.name, describe(info)), FROM_REFERENCE, words.status("idle", "")

    def preview(
        self,
        source: str | None,
        emotion: str,
        reference: str | None,
        intensity: float,
        start: float,
        end: float,
        face: float,
        variant: float,
        generator: str,
        time: float,
    ) -> tuple[Value | None, str]:
        """One frame, before and after, and a line that says what it shows or why there is nothing."""
        if not source:
            return None, ""
        if emotion == FROM_REFERENCE and not reference:
            return gr.skip(), note("Add a reference clip or photo: one whose expression you like.")  # type: ignore
        try:
            request = self.request(source, emotion, reference, intensity, start, end, face, variant, generator)
            seen = self.editor.preview(request, float(time or 0))
        except SettingError as error:
            return gr.skip(), note(sentence(error), failed=True)  # type: ignore
        except Exception as error:
            return None, note(sentence(error), failed=True)
        if seen.presence < 0.05:
            text = "The face cannot be edited at this moment: it is hidden, cut off or turned away. It stays as it is."
        else:
            text = outside(float(time or 0), start, end)
        return pair(seen.source, seen.edited, "Preview of one frame"), note(text)

    def edit(
        self,
        source: str | None,
        emotion: str,
        reference: str | None,
        intensity: float,
        start: float,
        end: float,
        face: float,
        variant: float,
        generator: str,
        badge: bool,
        consent: bool,
        page: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Renders the whole file: video file, report file, status line, player, comparison, read-out.

        Yields where it stands. Closing this generator (cancel, a closed browser) stops the engine and removes its
        files. Raises gr.Error with one clear line, for programs.
        """
        nothing = (None, None)
        run = None
        try:
            if not consent:
                raise SettingError("please confirm first that you may edit this face", "tick the box under the source")
            request = self.request(source, emotion, reference, intensity, start, end, face, variant, generator)
            request = replace(request, badge=bool(badge))
            yield (*nothing, words.status("busy", "Getting ready", 0.0), None, None, "")
            run = Job(lambda folder, progress: self.work(request, folder, progress), self.folder)
            self.runs.add(page.session_hash or "", run)
            while not run.wait(POLL):
                at = run.standing()
                text = words.STAGE_WORDS.get(at.stage, at.stage.capitalize())
                line = words.status("busy", text, at.done, at.remaining)
                yield (gr.skip(), gr.skip(), line, gr.skip(), gr.skip(), gr.skip())
            if run.error is not None:
                raise run.error
            assert run.result is not None
            yield self.present(request, run.result)
        except Exception as error:
            text = sentence(error)
            yield (*nothing, words.status("failed", text), None, None, "")
            raise gr.Error(text, visible=False, print_exception=False) from None  # the status line shows it
        finally:
            if run is not None:
                self.runs.remove(page.session_hash or "", run)

    def leave(self, page: gr.Request) -> None:
        """A closed page stops its edit."""
        self.runs.stop(page.session_hash or "")

    def work(self, request: EditRequest, folder: Path, progress: Progress) -> EditResult:
        """The part that runs in its own thread; the file is named after the upload."""
        info = self.editor.probe(request.source)
        check(info, self.limits)
        suffix = still_suffix(request.source) if info.is_still else ".mp4"
        return self.editor.edit(replace(request, output=folder / f"{request.source.stem}-edited{suffix}"), progress)

    def present(self, request: EditRequest, result: EditResult) -> tuple[Any, ...]:
        still = self.editor.probe(request.source).is_still
        written = result.output.with_suffix(".json")
        written.write_text(json.dumps(result.report, indent=1), encoding="utf-8")
        videos = None if still else clips(request.source, result.output)
        pictures = pair(read_still(request.source), read_still(result.output), "The photo") if still else None
        done = words.status("done", "Done. Look at it below, then download it.")
        return str(result.output), str(written), done, videos, pictures, words.readout(result.report)

    def request(
        self,
        source: str | None,
        emotion: str,
        reference: str | None,
        intensity: float,
        start: float,
        end: float,
        face: float,
        variant: float,
        generator: str = GENERATORS[0],
    ) -> EditRequest:
        """Raises SettingError, UnreadableError."""
        path = check_upload(source, "video or photo")
        stop = float(end or 0)
        whole = stop <= 0 or stop >= length(self.editor.probe(path)) - ROUNDING
        return EditRequest(
            source=path,
            emotion=None if emotion == FROM_REFERENCE else emotion,
            reference=check_upload(reference, "reference") if reference else None,
            intensity=float(intensity),
            start=float(start or 0),
            end=None if whole else stop,
            face=None if face == LARGEST else int(face),
            generator=generator or GENERATORS[0],
            seed=int(variant or 0),
        )


def read_still(path: Path) -> Image:
    """(H, W, 3) uint8 RGB."""
    with Reader(path) as reader:
        return next(iter(reader)).image
