"""Load networks whose weights a user imported by `import-weights`: this project may not publish them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl import hub, tensor_files
from asccl.errors import WeightsError

if TYPE_CHECKING:
    from asccl.nets.efficientface import EfficientFace
    from asccl.nets.face_resnet18 import FaceResNet18
    from asccl.nets.iresnet import IResNet
    from asccl.nets.syncnet import SyncNet


def load_syncnet(files: Mapping[str, Path]) -> SyncNet:
    """Load SyncNet, frozen. files: see `Networks`. Raises WeightsError."""
    return _load(files, "syncnet")


def load_efficientface(files: Mapping[str, Path]) -> EfficientFace:
    """Load EfficientFace, frozen. files: see `Networks`. Raises WeightsError."""
    return _load(files, "efficientface")


def load_face_resnet18(files: Mapping[str, Path]) -> FaceResNet18:
    """Load the grey-scale ResNet-18, frozen. files: see `Networks`. Raises WeightsError."""
    return _load(files, "arcface-resnet18")


def load_arcface(files: Mapping[str, Path]) -> IResNet:
    """Load ArcFace's IResNet with its embedding, frozen. files: see `Networks`. Raises WeightsError."""
    return _load(files, "arcface")


def _load(files: Mapping[str, Path], kind: str) -> Any:
    if kind not in files:
        raise WeightsError(
            f"the weights {kind} are not on this machine, and this project may not publish them",
            f"`python -m asccl import-weights {kind} FILE -o {hub.local_folders()[0]}/{kind}.safetensors`",
        )
    path = Path(files[kind])
    if not path.is_file():
        raise WeightsError(f"there is no file {path}", f"give the imported weights {kind}")
    actual = tensor_files.read_metadata(path).get("kind", "unknown")
    if actual != kind:
        raise WeightsError(f"{path} has weights of the kind {actual}, not {kind}", f"give imported weights {kind}")
    return _fill(path, hub.sha256(path), kind)


@cache
def _fill(path: Path, _sha256: str, kind: str) -> Any:
    from asccl.nets.blocks import tensor_shapes

    net = _create(path, kind)
    # the batch-norm counters are not in the file
    net.load_state_dict(tensor_files.load_tensors(path, tensor_shapes(net)), strict=False)
    return net.freeze()


def _create(path: Path, kind: str) -> Any:
    if kind == "syncnet":
        from asccl.nets.syncnet import SyncNet

        return SyncNet()
    if kind == "efficientface":
        from asccl.nets.efficientface import EfficientFace

        return EfficientFace()
    if kind == "arcface-resnet18":
        from asccl.nets.face_resnet18 import FaceResNet18

        return FaceResNet18()
    from asccl.nets.iresnet import DEPTHS, IResNet

    metadata = tensor_files.read_metadata(path)
    if metadata.get("embedding") != "yes":
        raise WeightsError(f"{path} has no embedding layers", "import a file that has them, such as w600k_r50.onnx")
    return IResNet(next((d for d in DEPTHS if metadata.get("backbone") == f"iresnet{d}"), 50), head=True)
