"""Limits on the number of requests to the study pages."""

from __future__ import annotations

from dataclasses import dataclass, field

from asccl.web.rate_limiter import RateLimiter


@dataclass(frozen=True)
class StudyLimiters:
    """The limits of the study pages.

    Attributes:
        requests: of one link.
        invalid_links: of one address.
        joins: of one open link.
        address_joins: of one address, so that one client cannot take all places of a study; a room full of people
            behind one address can begin together.
        logins: wrong secrets of one address.
    """

    requests: RateLimiter = field(default_factory=lambda: RateLimiter(rate=20, burst=200))
    invalid_links: RateLimiter = field(default_factory=lambda: RateLimiter(rate=1, burst=60))
    joins: RateLimiter = field(default_factory=lambda: RateLimiter(rate=2, burst=100))
    address_joins: RateLimiter = field(default_factory=lambda: RateLimiter(rate=1 / 60, burst=30))
    logins: RateLimiter = field(default_factory=lambda: RateLimiter(rate=0.2, burst=10))
