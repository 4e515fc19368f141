"""Speech-preserving facial expression manipulation with the ASCCL metric (CVPR 2024).

from asccl import EditRequest, Editor

result = Editor().edit(EditRequest("talk.mp4", emotion="happy"))
print(result.output, result.report["speech"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asccl.types import EMOTIONS, EditRequest, EditResult
from asccl.version import __version__

if TYPE_CHECKING:
    from asccl.pipeline import Editor

__all__ = ["EMOTIONS", "EditRequest", "EditResult", "Editor", "__version__"]


def __getattr__(name: str) -> Any:
    """The editor is imported when it is first asked for, so that `import asccl` stays light."""
    if name == "Editor":
        from asccl.pipeline import Editor

        return Editor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
