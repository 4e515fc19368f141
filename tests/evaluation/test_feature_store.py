import numpy as np
import pytest

from asccl.errors import OutputError
from asccl.evaluation.feature_store import FeatureStore


@pytest.fixture
def store():
    opened = FeatureStore()
    yield opened
    opened.close()


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.zeros((0, 192), np.float32), np.array(3)])
def test_an_array_comes_back_as_it_was(store, array):
    store.compute("other", lambda: np.ones(5))
    store.compute("name", lambda: array)
    stored = store.compute("name", lambda: pytest.fail("computed again"))
    np.testing.assert_array_equal(stored, array)
    assert (stored.dtype, stored.shape) == (array.dtype, array.shape)


def test_a_failure_stores_nothing(store):
    with pytest.raises(ZeroDivisionError):
        store.compute("name", lambda: np.array(1 // 0))
    assert store.compute("name", lambda: np.array(2)) == 2


def test_a_disk_without_space_is_an_output_error(store, monkeypatch):
    def refuse() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("asccl.evaluation.feature_store.open_temporary_file", refuse)
    with pytest.raises(OutputError, match="set TMPDIR"):
        store.compute("name", lambda: np.ones(3))
