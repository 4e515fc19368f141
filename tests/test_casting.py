"""Which renderer serves whom: by the person's embedding, and refused with the reason where it does not fit."""

from __future__ import annotations

import json
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
from asccl.interop.files import serialize
from asccl.nets.ned_renderer import Generator, RendererSizes
from asccl.renderers.neural.checkpoint import DISCRIMINATOR_KIND, EMBEDDING_SIZE, RendererMetadata

SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, running=False)


@pytest.fixture(scope="module")
def person() -> np.ndarray:
    """(192,) of the astronaut."""
    eyes, image = FaceLandmarker(), astronaut()
    landmarks = eyes.detect(image)
    eyes.close()
    assert landmarks is not None
    return zoo.load_embedder().embed(arcface_crop(image, landmarks)[None])[0]


def renderer(path: Path, whose: np.ndarray, **told: str) -> Path:
    torch.manual_seed(0)
    tensors = dict(Generator(SIZES).state_dict())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        serialize(tensors, {**RendererMetadata.from_embeddings(SIZES, 32, whose[None]).to_metadata(), **told})
    )
    return path


def likeness(person: np.ndarray, cosine: float) -> np.ndarray:
    """An embedding of somebody who is that like a person."""
    other = np.random.default_rng(0).standard_normal(EMBEDDING_SIZE)
    other -= (other @ person) * person / (person @ person)
    return cosine * person / np.linalg.norm(person) + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(tmp_path))
    return tmp_path / renderer_selection.FOLDER


def test_a_card_comes_back_as_it_was_told(person):
    card = RendererMetadata.from_embeddings(SIZES, 32, np.stack([person, person]))
    again = RendererMetadata.from_metadata(card.to_metadata())
    assert (again.sizes, again.size) == (SIZES, 32)
    assert again.identity_cosine(3 * person) == pytest.approx(1, abs=1e-5)
    told = card.to_metadata()
    for wrong in ({"size": "30"}, {"size": "8"}, {"person": "AAAA"}, {"embedder": "another"}, {"person": "?"}):
        with pytest.raises(ValueError):
            RendererMetadata.from_metadata(told | wrong)


def test_the_likest_that_fits_serves(folder, person):
    assert "no renderer in" in renderer_selection.select_renderer(person).report["why"]
    renderer(folder / "a.safetensors", likeness(person, 0.6))
    best = renderer(folder / "b.safetensors", likeness(person, 0.9))
    renderer(folder / "c.safetensors", likeness(person, 0.2))
    (folder / "d.safetensors").write_bytes(b"nothing")
    renderer(folder / "b-D.safetensors", person, kind=DISCRIMINATOR_KIND)  # as a training leaves it beside b
    found, report = renderer_selection.select_renderer(person)
    assert found == best
    assert report["name"] == "neural" and report["file"] == "b.safetensors" and report["sha256"] == hub.sha256(best)
    assert report["similarity"] == pytest.approx(0.9, abs=1e-3) and "taught this person" in report["why"]
    (passed,) = report["passed_over"]
    assert passed.startswith("d.safetensors")  # without the folders of this machine
    json.dumps(report)


def test_without_one_that_fits_frames_are_warped(folder, person):
    renderer(folder / "c.safetensors", likeness(person, renderer_selection.MIN_IDENTITY_COSINE - 0.02))
    found, report = renderer_selection.select_renderer(person)
    assert found is None and report["name"] == "warp" and "none was taught this person" in report["why"]
    assert report["similarity"] == pytest.approx(renderer_selection.MIN_IDENTITY_COSINE - 0.02, abs=1e-3)
    assert renderer_selection.select_renderer(None).report["name"] == "warp"


def test_a_given_one_that_does_not_fit_is_refused(tmp_path, person):
    wrong = renderer(tmp_path / "w.safetensors", likeness(person, 0.3))
    with pytest.raises(InputError, match=r"another person \(likeness 0.30"):
        renderer_selection.select_renderer(person, wrong)
    with pytest.raises(InputError, match="no frame shows"):
        renderer_selection.select_renderer(None, wrong)


@pytest.mark.parametrize(
    "told, words",
    [
        ({"kind": "scc"}, "no renderer but scc"),
        ({"conditions": "flame"}, "FLAME"),
        ({"conditions": "anny-0"}, "anny-0"),
        ({"person": ""}, "whom it draws"),
        ({"ngf": "much"}, "whom it draws"),
    ],
)
def test_another_kind_is_refused_with_the_reason(told, words, tmp_path, person, still, capsys):
    path = renderer(tmp_path / "other.safetensors", person, **told)
    out = tmp_path / "out.png"
    edit = ["edit", still, "--emotion", "happy", "--generator", "ned", "--renderer", path, "-o", out]
    assert main([str(word) for word in edit]) == 3
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and "other.safetensors" in said
    assert not out.exists()


def test_missing_damaged_and_wrong_person_end_with_3(tmp_path, person, still, capsys):
    (tmp_path / "damaged.safetensors").write_bytes(b"\0" * 100)
    renderer(tmp_path / "stranger.safetensors", likeness(person, 0.0))
    for name, words in (
        ("missing", "there is no renderer"),
        ("damaged", "not a whole"),
        ("stranger", "another person"),
    ):
        path, out = tmp_path / f"{name}.safetensors", tmp_path / "out.png"
        edit = ["edit", still, "--emotion", "happy", "--generator", "ned", "--renderer", path, "-o", out]
        assert main([str(word) for word in edit]) == 3
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1
        assert not out.exists()


def test_a_device_that_is_not_there(still, tmp_path, person, capsys):
    for name in ("nowhere", "cuda:77"):
        edit = ["edit", still, "--emotion", "happy", "--generator", "ned", "--device", name, "-o", tmp_path / "out.png"]
        assert main([str(word) for word in edit]) == 2
        said = capsys.readouterr().err
        assert name in said and said.count("\n") == 1


def test_a_renderer_needs_the_generator_that_has_one(tmp_path, person, still, capsys):
    path = renderer(tmp_path / "fits.safetensors", person)
    assert main(["edit", str(still), "--emotion", "happy", "--renderer", str(path)]) == 2
    assert "takes no renderer" in capsys.readouterr().err
    with pytest.raises(SettingError):
        EditRequest(still, emotion="happy", renderer=path)


def test_an_edit_with_a_neural_renderer(short_clip, tmp_path, person, editor):
    """All the way through a film: the network paints, the report says so, and intensity 0 leaves every pixel."""
    path = renderer(tmp_path / "fits.safetensors", person)
    request = EditRequest(short_clip, tmp_path / "out.mp4", emotion="surprised", generator="ned", renderer=path)
    report = editor.edit(request).report
    served = report["renderer"]
    assert (served["name"], served["file"], served["sha256"]) == ("neural", path.name, hub.sha256(path))
    assert served["similarity"] > 0.9 and report["request"]["renderer"] == path.name
    assert report["weights"][-1] == {"name": "ned-renderer", "file": path.name, "sha256": hub.sha256(path)}
    assert report["frames"]["edited"] == 12


def test_a_still_and_its_preview_show_the_same_face(still, tmp_path, person, folder, editor):
    """From the folder, without being asked for. An untaught network's face is easily told from the source."""
    renderer(folder / "fits.safetensors", person)
    request = EditRequest(still, tmp_path / "out.png", emotion="surprised", generator="ned")
    assert editor.edit(request).report["renderer"]["file"] == "fits.safetensors"
    before, after = (np.array(Image.open(path)).astype(int) for path in (still, tmp_path / "out.png"))
    shown = editor.preview(request, 0.0).edited.astype(int)
    assert np.abs(after - before).max() > 30
    assert np.abs(shown - after).mean() < 0.7 * np.abs(after - before).mean()  # of other frames: docs/ned.md


def test_a_preview_sees_a_renderer_that_comes_and_goes(still, person, folder, editor):
    request = EditRequest(still, emotion="happy", generator="ned")
    shown = [editor.preview(request, 0.0).edited]
    taught = renderer(folder / "astronaut.safetensors", person)
    shown.append(editor.preview(request, 0.0).edited)
    taught.unlink()
    shown.append(editor.preview(request, 0.0).edited)
    warped, drawn, again = (each.astype(int) for each in shown)
    assert abs(warped - drawn).max() > 20 and (warped == again).all()


def test_a_preview_follows_the_renderer_that_is_given(still, tmp_path, person, editor):
    fits = renderer(tmp_path / "fits.safetensors", person)
    wrong = renderer(tmp_path / "wrong.safetensors", likeness(person, 0.1))
    request = EditRequest(still, emotion="happy", generator="ned", renderer=fits)
    editor.preview(request, 0.0)
    with pytest.raises(InputError, match="another person"):
        editor.preview(EditRequest(still, emotion="happy", generator="ned", renderer=wrong), 0.0)
