"""Links that nobody can guess, and everything else that is signed with the store's key.

A token is an identity and an HMAC-SHA256 over what it is for: whose study, whose link, and the link's serial number,
which grows when the link is revoked. Nothing secret is in it, and none is kept: links can be shown again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

IDENTITY = 22  # characters: 128 bits
SIGNATURE = 43  # characters: 256 bits
TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{IDENTITY + SIGNATURE}}}")
STUDY = re.compile(r"[A-Za-z0-9_-]{11}")
CODE = 10  # characters of a completion code
ADMIN_SECONDS = 8 * 3600


def new_identity() -> str:
    """128 random bits."""
    return secrets.token_urlsafe(16)


def new_study() -> str:
    """64 random bits: names a study, keeps no secret."""
    return secrets.token_urlsafe(8)


@dataclass(frozen=True)
class Signer:
    """key: of the store, 32 bytes."""

    key: bytes

    def participant(self, study: str, participant: str, serial: int) -> str:
        return participant + self._mac("participant", study, participant, str(serial))

    def open_link(self, study: str, serial: int) -> str:
        """Of a link that anybody may use to join; its identity part is the same length, so both look alike."""
        identity = self._mac("open identity", study, str(serial))[:IDENTITY]
        return identity + self._mac("open", study, identity, str(serial))

    def clip(self, participant: str, position: int, slot: str) -> str:
        """What a clip is called on one screen of one participant: says nothing, and is another for everybody."""
        return self._mac("clip", participant, str(position), slot)

    def code(self, participant: str) -> str:
        """What a participant shows to prove that all was answered."""
        digest = hmac.digest(self.key, f"code|{participant}".encode(), hashlib.sha256)
        return base64.b32encode(digest).decode()[:CODE]

    def admin(self, secret_hash: str, now: float | None = None) -> str:
        """An administrator's session: ends after some hours, and when the secret is changed."""
        until = str(int((time.time() if now is None else now) + ADMIN_SECONDS))
        return f"{until}.{self._mac('admin', secret_hash, until)}"

    def is_admin(self, session: str, secret_hash: str, now: float | None = None) -> bool:
        until, _, mac = session.partition(".")
        if not (until.isascii() and until.isdecimal() and len(until) < 13):
            return False
        fresh = int(until) > (time.time() if now is None else now)
        return same(mac, self._mac("admin", secret_hash, until)) and fresh

    def form(self, session: str) -> str:
        """Proves that a form was sent from a page of this session."""
        return self._mac("form", session)

    def _mac(self, *parts: str) -> str:
        digest = hmac.digest(self.key, "|".join(parts).encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def same(one: str, other: str) -> bool:
    """In constant time; whatever was sent."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def hashed(secret: str) -> str:
    """Of the administrator's secret, 256 random bits: one round is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
