"""Tokens of links, and everything else that is signed with the store's key.

A token is an id and an HMAC-SHA256 over its purpose: the study, whose link it is, and the serial number of the link,
which grows when the link is revoked. Tokens are not stored; they are computed again whenever they are displayed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

ID_LENGTH = 22  # characters: 128 bits
SIGNATURE_LENGTH = 43  # characters: 256 bits
TOKEN_PATTERN = re.compile(rf"[A-Za-z0-9_-]{{{ID_LENGTH + SIGNATURE_LENGTH}}}")
STUDY_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{11}")
CODE_LENGTH = 10  # characters of a completion code
ADMIN_SESSION_SECONDS = 8 * 3600


def new_participant_id() -> str:
    """Return 128 random bits that do not begin with a hyphen or an underscore."""
    return _new_id(16)


def new_study_id() -> str:
    """Return 64 random bits that do not begin with a hyphen or an underscore. A study's id is not secret."""
    return _new_id(8)


def _new_id(size: int) -> str:
    """Return random bytes as text that command lines do not take for an option and that a double click selects."""
    while True:
        text = secrets.token_urlsafe(size)
        if text[0] not in "-_":
            return text


@dataclass(frozen=True)
class Signer:
    """Signs with the store's key of 32 bytes."""

    key: bytes

    def participant_token(self, study_id: str, participant_id: str, serial: int) -> str:
        """Return the token of a personal link.

        Args:
            study_id: the study of the link.
            participant_id: whose link it is.
            serial: number of the link; a higher one makes it void.
        """
        return participant_id + self._mac("participant", study_id, participant_id, str(serial))

    def open_link_token(self, study_id: str, serial: int) -> str:
        """Return the token of an open link, which has the same form as a personal one."""
        identity = self._mac("open identity", study_id, str(serial))[:ID_LENGTH]
        return identity + self._mac("open", study_id, identity, str(serial))

    def clip_name(self, participant_id: str, position: int, slot: str) -> str:
        """Return an opaque name of a clip, different for each participant and trial.

        Args:
            participant_id: who sees the clip.
            position: of the trial in the participant's schedule.
            slot: place of the clip on the screen.
        """
        return self._mac("clip", participant_id, str(position), slot)

    def completion_code(self, participant_id: str) -> str:
        """Return the code by which a participant proves that all questions were answered."""
        digest = hmac.digest(self.key, f"code|{participant_id}".encode(), hashlib.sha256)
        return base64.b32encode(digest).decode()[:CODE_LENGTH]

    def admin_session(self, secret_hash: str, serial: str, now: float | None = None) -> str:
        """Return a new session of an administrator.

        Args:
            secret_hash: of the administrator's secret; the session ends when it changes.
            serial: of all sessions; they end when it changes.
            now: seconds since the epoch, 8 hours before the session ends; None for the present.
        """
        until = f"{int((time.time() if now is None else now) + ADMIN_SESSION_SECONDS)}-{secrets.token_urlsafe(16)}"
        return f"{until}.{self._mac('admin', secret_hash, serial, until)}"

    def is_admin_session(self, session: str, secret_hash: str, serial: str, now: float | None = None) -> bool:
        """Return whether an administrator's session is authentic and has not ended.

        Args:
            session: from the cookie, unchecked.
            secret_hash: of the administrator's secret.
            serial: of all sessions.
            now: seconds since the epoch; None for the present.
        """
        name, _, mac = session.partition(".")
        until, _, _ = name.partition("-")
        if not (until.isascii() and until.isdecimal() and len(until) < 13):
            return False
        is_current = int(until) > (time.time() if now is None else now)
        return equal_in_constant_time(mac, self._mac("admin", secret_hash, serial, name)) and is_current

    def form_token(self, session: str) -> str:
        """Return the proof that a form was sent from a page of this session (against CSRF)."""
        return self._mac("form", session)

    def folder_mark(self, name: str) -> str:
        """Return the content of the mark of an unfinished folder, by which a store knows its own marks."""
        return self._mac("folder", name)

    def _mac(self, *parts: str) -> str:
        digest = hmac.digest(self.key, "|".join(parts).encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def equal_in_constant_time(one: str, other: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ. Accepts any text, also surrogates."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def hash_secret(secret: str) -> str:
    """Return SHA-256 of the administrator's secret; one round is enough for the 192 random bits of `new_secret`."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
