"""Speech-preserving facial expression manipulation with the ASCCL metric (CVPR 2024).

from asccl import EditRequest, Editor

result = Editor().edit(EditRequest("talk.mp4", emotion="happy"))
print(result.output, result.report["speech"])

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
    from asccl.metric.loss import ASCCLLoss, LossSettings
    from asccl.zoo import load_metric

_LATER = {
    "ASCCLLoss": "asccl.metric.loss",
    "Editor": "asccl.editing.editor",
    "LossSettings": "asccl.metric.loss",
    "load_metric": "asccl.zoo",
}
__all__ = ["EMOTIONS", "ASCCLLoss", "EditRequest", "EditResult", "Editor", "LossSettings", "__version__", "load_metric"]


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is first asked for, so that `import asccl` stays light."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
