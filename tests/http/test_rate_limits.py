"""What a server that limits us says about it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kops_assets_provider.http.rate_limits import Quota, quota, retry_after

HUB = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"}


def test_docker_hubs_quota_is_read():
    """Pulls that are left, of how many, in how many seconds."""
    assert quota(HUB) == Quota(limit=100, remaining=76, window=21600)
    assert quota({"RateLimit-Limit": "5", "RateLimit-Remaining": "0"}) == Quota(
        limit=5, remaining=0, window=0
    )


@pytest.mark.parametrize("value", ["", "many", "-1;w=3", ";w=3", "9" * 500 + "x"])
def test_what_is_no_quota_is_none(value):
    """A server may say what it likes."""
    found = quota({"RateLimit-Limit": value, "RateLimit-Remaining": value})
    assert found is None or found.limit < 10**12


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7", **HUB}, 7),
        ({"RateLimit-Reset": "50", **HUB}, 50),
        (HUB, 21600),
        ({"RateLimit-Limit": "5", "RateLimit-Remaining": "0"}, None),
        ({"Retry-After": "9" * 400}, 86400),
        ({"Retry-After": "9" * 60_000}, 86400),
        ({"Retry-After": "0" * 400 + "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "\u0661\u0662"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "Fri, 01 Jan 2038 00:00:10 GMT"}, 10),
        ({"Retry-After": "Friday, 01-Jan-38 00:00:10 GMT"}, 10),
        ({"Retry-After": "Fri Jan  1 00:00:10 2038"}, 10),
        ({"Retry-After": "Fri, 01 Jan 2037 00:00:10 GMT"}, 0),
        ({"Retry-After": "Fri, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"Retry-After": "Fri, 99999999999999999999 Jan 2038 00:00:00 GMT"}, None),
        ({"Retry-After": "Fri, 01 Jan 2038 00:00:00 +99999999999999999999"}, None),
        ({"Retry-After": "Fri, 01 Jan 9999 23:59:59 -9999"}, None),
        ({"Retry-After": "Fri, 01 Jan 2038 00:00:" + "9" * 5000 + " GMT"}, None),
        ({"Retry-After": "many", "RateLimit-Reset": "50"}, 50),
    ],
)
def test_the_wait_is_what_the_server_says(headers, seconds):
    """Its own words first, then when its window begins anew, then the window."""
    assert retry_after(headers, datetime(2038, 1, 1, tzinfo=UTC)) == seconds
