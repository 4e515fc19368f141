"""Speech-preserving facial expression manipulation with the ASCCL metric (CVPR 2024).

Edit a video:

    from asccl import EditRequest, Editor

    result = Editor().edit(EditRequest("talk.mp4", emotion="happy"))
    print(result.output, result.report["speech"])

Use the loss in a training:

    from asccl import ASCCLLoss, load_metric

    loss = ASCCLLoss(load_metric("scc-mobilefacenet"))(source, generated)  # (B, 3, H, W) RGB in [-1, 1]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asccl.types import EMOTIONS, EditRequest, EditResult
from asccl.version import __version__

if TYPE_CHECKING:
    from asccl.editing.editor import Editor
    from asccl.metric.loss import ASCCLLoss
    from asccl.metric.loss_settings import LossSettings
    from asccl.zoo import load_metric

_MODULES = {
    "ASCCLLoss": "asccl.metric.loss",
    "Editor": "asccl.editing.editor",
    "LossSettings": "asccl.metric.loss_settings",
    "load_metric": "asccl.zoo",
}
__all__ = ["EMOTIONS", "ASCCLLoss", "EditRequest", "EditResult", "Editor", "LossSettings", "__version__", "load_metric"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that `import asccl` does not import torch."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
