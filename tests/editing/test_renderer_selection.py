"""The renderer of a person is selected by face embedding; one that does not fit is refused with the reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from media import astronaut
from PIL import Image

from asccl import EditRequest, hub, zoo
from asccl.__main__ import main
from asccl.editing import renderer_selection
from asccl.errors import InputError, SettingError
from asccl.face.crop import arcface_crop
from asccl.face.landmarker import FaceLandmarker
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.nets.serialize import serialize
from asccl.renderers.neural.checkpoint import DISCRIMINATOR_KIND, EMBEDDING_SIZE, RendererMetadata

SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, running=False)


@pytest.fixture(scope="module")
def person() -> np.ndarray:
    """Face embedding of the astronaut, (192,)."""
    landmarker, image = FaceLandmarker(), astronaut()
    landmarks = landmarker.detect(image)
    landmarker.close()
    assert landmarks is not None
    return zoo.load_embedder().embed(arcface_crop(image, landmarks)[None])[0]


def write_renderer(path: Path, embedding: np.ndarray, **metadata: str) -> Path:
    """An untrained renderer of a person with this embedding. metadata: what differs from a valid file's."""
    torch.manual_seed(0)
    tensors = dict(NedGenerator(SIZES).state_dict())
    path.parent.mkdir(parents=True, exist_ok=True)
    valid = RendererMetadata.from_embeddings(SIZES, 32, embedding[None]).to_metadata()
    path.write_bytes(serialize(tensors, {**valid, **metadata}))
    return path


def with_cosine(person: np.ndarray, cosine: float) -> np.ndarray:
    """An embedding of somebody at this cosine to a person."""
    other = np.random.default_rng(0).standard_normal(EMBEDDING_SIZE)
    other -= (other @ person) * person / (person @ person)
    return cosine * person / np.linalg.norm(person) + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which renderers are searched for."""
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(tmp_path))
    return tmp_path / renderer_selection.RENDERERS_FOLDER


def test_metadata_survives_a_round_trip(person):
    metadata = RendererMetadata.from_embeddings(SIZES, 32, np.stack([person, person]))
    again = RendererMetadata.from_metadata(metadata.to_metadata())
    assert (again.sizes, again.size) == (SIZES, 32)
    assert again.identity_cosine(3 * person) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "invalid", [{"size": "30"}, {"size": "8"}, {"person": "AAAA"}, {"embedder": "another"}, {"person": "?"}]
)
def test_invalid_metadata_is_refused(person, invalid):
    valid = RendererMetadata.from_embeddings(SIZES, 32, person[None]).to_metadata()
    with pytest.raises(ValueError, match=r".+"):  # the message depends on the entry
        RendererMetadata.from_metadata(valid | invalid)


def test_without_any_renderer_frames_are_warped(folder, person):
    assert "no renderer in" in renderer_selection.select_renderer(person).report["reason"]


@pytest.fixture
def selection(folder, person) -> renderer_selection.RendererSelection:
    """From a folder with three renderers, a damaged file and a discriminator."""
    write_renderer(folder / "a.safetensors", with_cosine(person, 0.6))
    write_renderer(folder / "b.safetensors", with_cosine(person, 0.9))
    write_renderer(folder / "c.safetensors", with_cosine(person, 0.2))
    (folder / "d.safetensors").write_bytes(b"nothing")
    write_renderer(folder / "b-D.safetensors", person, kind=DISCRIMINATOR_KIND)  # a training leaves it beside b
    return renderer_selection.select_renderer(person)


def test_the_most_similar_renderer_is_selected(selection, folder):
    assert selection.renderer == folder / "b.safetensors"


def test_the_report_names_the_selected_renderer_and_the_reason(selection):
    report = json.loads(json.dumps(selection.report))
    assert report["sha256"] == hub.sha256(selection.renderer)
    assert report["similarity"] == pytest.approx(0.9, abs=1e-3)
    named = [report[key] for key in ("name", "searched", "file", "reason")]
    assert named == ["neural", True, "b.safetensors", "it was trained on this person"]


def test_the_report_lists_skipped_files_without_their_folder(selection):
    (skipped,) = selection.report["skipped"]
    assert skipped.startswith("d.safetensors")


def test_the_report_keeps_its_old_keys_for_one_version(selection):
    report = selection.report
    old = report["sought"], report["why"], report["passed_over"]
    assert old == (report["searched"], report["reason"], report["skipped"])


def test_without_a_renderer_of_the_person_frames_are_warped(folder, person):
    cosine = renderer_selection.MIN_PERSON_COSINE - 0.02
    write_renderer(folder / "c.safetensors", with_cosine(person, cosine))
    renderer, report = renderer_selection.select_renderer(person)
    assert renderer is None
    assert (report["name"], report["reason"]) == ("warp", "none of 1 renderers was trained on this person")
    assert report["similarity"] == pytest.approx(cosine, abs=1e-3)


def test_without_a_clear_face_frames_are_warped():
    assert renderer_selection.select_renderer(None).report["name"] == "warp"


def test_a_requested_renderer_of_another_person_is_refused(tmp_path, person):
    wrong = write_renderer(tmp_path / "w.safetensors", with_cosine(person, 0.3))
    with pytest.raises(InputError, match=r"another person \(identity cosine 0.30"):
        renderer_selection.select_renderer(person, wrong)


def test_a_requested_renderer_needs_a_clear_face(tmp_path, person):
    with pytest.raises(InputError, match="no frame shows"):
        renderer_selection.select_renderer(None, write_renderer(tmp_path / "w.safetensors", person))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"kind": "scc"}, "not a renderer but scc"),
        ({"conditions": "flame"}, "FLAME"),
        ({"conditions": "anny-0"}, "anny-0"),
        ({"person": ""}, "does not describe its person"),
        ({"ngf": "much"}, "does not describe its person"),
    ],
)
def test_a_file_that_is_no_renderer_is_refused_with_the_reason(metadata, words, tmp_path, person, still, capsys):
    path = write_renderer(tmp_path / "other.safetensors", person, **metadata)
    assert edit_still(still, tmp_path, renderer=path) == 3
    assert_one_line(capsys, words, "other.safetensors")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "there is no renderer"),
        ("damaged", "not a complete safetensors file"),
        ("stranger", "another person"),
    ],
)
def test_a_renderer_that_cannot_be_used_ends_with_3(name, words, tmp_path, person, still, capsys):
    (tmp_path / "damaged.safetensors").write_bytes(b"\0" * 100)
    write_renderer(tmp_path / "stranger.safetensors", with_cosine(person, 0.0))
    assert edit_still(still, tmp_path, renderer=tmp_path / f"{name}.safetensors") == 3
    assert_one_line(capsys, words)


@pytest.mark.parametrize("device", ["nowhere", "cuda:77"])
def test_a_missing_device_ends_with_2(device, still, tmp_path, capsys):
    assert edit_still(still, tmp_path, device=device) == 2
    assert_one_line(capsys, device)


def edit_still(still: Path, folder: Path, **options: object) -> int:
    """Exit status of an edit by `--generator ned` that must not write its output."""
    output = folder / "out.png"
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    status = main(["edit", str(still), "--emotion", "happy", "--generator", "ned", "-o", str(output), *words])
    assert not output.exists()
    return status


def assert_one_line(capsys: pytest.CaptureFixture, *words: str) -> None:
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert [word for word in words if word not in message] == []


def test_a_renderer_needs_the_generator_that_has_one(tmp_path, person, still, capsys):
    path = write_renderer(tmp_path / "fits.safetensors", person)
    assert main(["edit", str(still), "--emotion", "happy", "--renderer", str(path)]) == 2
    assert "takes no renderer" in capsys.readouterr().err
    with pytest.raises(SettingError):
        EditRequest(still, emotion="happy", renderer=path)


def test_the_report_of_an_edit_names_its_neural_renderer(short_clip, tmp_path, person, editor):
    path = write_renderer(tmp_path / "fits.safetensors", person)
    request = EditRequest(short_clip, tmp_path / "out.mp4", emotion="surprised", generator="ned", renderer=path)
    report = editor.edit(request).report
    renderer = report["renderer"]
    assert (renderer["name"], renderer["file"], renderer["sha256"]) == ("neural", path.name, hub.sha256(path))
    assert renderer["similarity"] > 0.9
    assert report["request"]["renderer"] == path.name
    assert report["weights"][-1] == {"name": "ned-renderer", "file": path.name, "sha256": hub.sha256(path)}
    assert report["frames"]["edited"] == 12


def test_a_still_and_its_preview_show_the_same_face(still, tmp_path, person, folder, editor):
    """The renderer comes from the folder. The face of an untrained network differs visibly from the source."""
    write_renderer(folder / "fits.safetensors", person)
    request = EditRequest(still, tmp_path / "out.png", emotion="surprised", generator="ned")
    assert editor.edit(request).report["renderer"]["file"] == "fits.safetensors"
    before, after = (np.array(Image.open(path)).astype(int) for path in (still, tmp_path / "out.png"))
    preview = editor.preview(request, 0.0).edited.astype(int)
    assert np.abs(after - before).max() > 30
    assert np.abs(preview - after).mean() < 0.7 * np.abs(after - before).mean()  # of other frames: docs/ned.md


def test_a_preview_follows_the_files_in_the_folder(still, person, folder, editor):
    request = EditRequest(still, emotion="happy", generator="ned")
    warped = editor.preview(request, 0.0).edited.astype(int)
    renderer = write_renderer(folder / "astronaut.safetensors", person)
    generated = editor.preview(request, 0.0).edited.astype(int)
    renderer.unlink()
    np.testing.assert_array_equal(editor.preview(request, 0.0).edited, warped)
    assert abs(warped - generated).max() > 20


def test_a_preview_follows_the_requested_renderer(still, tmp_path, person, editor):
    fits = write_renderer(tmp_path / "fits.safetensors", person)
    wrong = write_renderer(tmp_path / "wrong.safetensors", with_cosine(person, 0.1))
    request = EditRequest(still, emotion="happy", generator="ned", renderer=fits)
    editor.preview(request, 0.0)
    with pytest.raises(InputError, match="another person"):
        editor.preview(replace(request, renderer=wrong), 0.0)
