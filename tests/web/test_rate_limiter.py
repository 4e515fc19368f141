"""Token buckets: requests that count more than one."""

from __future__ import annotations

from clocks import AdjustableClock

from asccl.web.rate_limiter import RateLimiter


def test_a_charge_counts_like_requests():
    limiter = RateLimiter(rate=0.0, burst=3)
    limiter.charge("a", 2)
    assert [limiter.allows("a") for _ in range(2)] == [True, False]


def test_a_charge_of_one_key_leaves_the_others():
    limiter = RateLimiter(rate=0.0, burst=3)
    limiter.charge("a", 3)
    assert limiter.allows("b")


def test_a_request_may_count_as_several():
    limiter = RateLimiter(rate=0.0, burst=3)
    assert [limiter.allows("a", cost=2) for _ in range(3)] == [True, True, False]


def test_a_key_owes_at_most_a_burst():
    clock = AdjustableClock()
    limiter = RateLimiter(rate=1.0, burst=3, clock=clock)
    limiter.charge("a", 1000)
    clock.advance(4.0)  # three for the debt, one for the request
    assert limiter.allows("a")
