"""Fuzz what judges deliveries for as long as wanted. Run by `make fuzz SECONDS=600`."""

from __future__ import annotations

import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, settings

from service import test_webhook_fuzz as fuzz

TESTS = (
    fuzz.test_headers_are_judged,
    fuzz.test_signed_bodies_are_judged,
    fuzz.test_challenges_are_judged,
    fuzz.test_the_endpoint_always_answers,
)
EXAMPLES = 2000


def main(seconds: float) -> int:
    """Round after round, each of them new; the first finding ends it with its smallest example."""
    profile = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    tests = [profile(test) for test in TESTS]
    done: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for test in tests:
            test()
            done[test.__name__] += EXAMPLES
    for name, count in done.items():
        print(f"{count:>9} examples, no finding: {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
