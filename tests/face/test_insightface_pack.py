from __future__ import annotations

import numpy as np
import pytest
from insightface_files import BOX, write_pack
from media import astronaut

from asccl.errors import AscclError
from asccl.face.insightface_pack import InsightFaceDetector, InsightFacePack
from asccl.face.tracker import FaceMeshTracker

pytest.importorskip("insightface")


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> InsightFacePack:
    return InsightFacePack(root=write_pack(tmp_path_factory.mktemp("insightface")))


def test_a_face_is_reported_in_pixels_of_the_image(pack):
    (window,) = pack.detect(np.zeros((320, 320, 3), np.uint8))
    assert (window.x, window.y, window.angle) == pytest.approx(((BOX[0] + BOX[2]) / 4, (BOX[1] + BOX[3]) / 4, 0))


def test_embeddings_have_512_values_and_their_own_length(pack):
    crops = np.stack([np.full((112, 112, 3), level, np.uint8) for level in (60, 250)])
    embeddings = pack.embed(crops)
    assert embeddings.shape == (2, 512)
    assert np.linalg.norm(embeddings[1]) > np.linalg.norm(embeddings[0])


def test_embeddings_read_rgb(pack):
    red = np.zeros((1, 112, 112, 3), np.uint8)
    red[..., 0] = 255
    assert not np.allclose(pack.embed(red), pack.embed(red[..., ::-1]))


def test_no_crops_have_no_embeddings(pack):
    assert pack.embed(np.zeros((0, 112, 112, 3), np.uint8)).shape == (0, 512)


def test_the_tracker_refines_the_detected_face(pack):
    tracker = FaceMeshTracker(create_detector=lambda: InsightFaceDetector(pack))
    try:
        assert tracker.track(astronaut()).landmarks is not None
    finally:
        tracker.close()


def test_a_pack_that_cannot_be_downloaded_is_named(tmp_path, monkeypatch):
    import insightface.app.face_analysis as module

    def offline(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(module, "ensure_available", offline)
    with pytest.raises(AscclError, match=r"buffalo_l is not in .*no route to host.*non-commercial"):
        InsightFacePack(root=tmp_path)
