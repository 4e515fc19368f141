"""Long work in threads of low priority, so that short work stays quick beside it."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

NICENESS = 19  # of threads that edit, compare and adapt: they leave the processor to previews
INSPECTION_NICENESS = 14  # of threads that detect and fit faces: behind quick previews, before edits
MAX_SESSIONS = 10_000  # remembered by `Superseding`


def lower_priority(niceness: int = NICENESS) -> None:
    """Lower the priority of this thread and of those that it starts. A lower one stays.

    Only Linux has priorities of single threads; elsewhere nothing changes.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))


def background_executor(workers: int, niceness: int = NICENESS) -> ThreadPoolExecutor:
    """Create threads of low priority. workers: their number."""
    return ThreadPoolExecutor(workers, "asccl-background", lower_priority, (niceness,))


class Superseding:
    """Tells the work for an older request of a page that a newer one has come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: OrderedDict[str, tuple[object, threading.Event]] = OrderedDict()

    def begin(self, session: str, request: object = None) -> None:
        """Supersede the requests of a page so far, unless the latest is equal: its work serves for both.

        Args:
            session: of the page.
            request: what is asked for; None differs from all others.
        """
        with self._lock:
            earlier, superseded = self._latest.pop(session, (None, threading.Event()))
            if request is None or request != earlier:
                superseded.set()
                superseded = threading.Event()
            self._latest[session] = request, superseded
            if len(self._latest) > MAX_SESSIONS:
                self._latest.popitem(last=False)[1][1].set()

    def latest(self, session: str) -> threading.Event:
        """Return an event that is set once a newer request of the page begins."""
        with self._lock:
            return self._latest.setdefault(session, (None, threading.Event()))[1]

    def end(self, session: str) -> None:
        """Supersede the requests of a page that has been closed."""
        with self._lock:
            if session in self._latest:
                self._latest.pop(session)[1].set()
