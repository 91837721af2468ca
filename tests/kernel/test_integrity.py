"""Nothing lost, nothing invented: many transfers at once, each judged by its SHA-256."""

import concurrent.futures
import itertools
import random

import transfers


def test_200_transfers_of_many_kinds_lose_and_invent_nothing(two_workers, watch):
    """Sixteen at a time, up, down and both, from one byte to megabytes: every SHA-256 is right."""
    rng = random.Random(1)
    kinds = itertools.product(("download", "upload", "half close", "echo"), ("mptcp", "tcp"), (4, 6))
    tasks = [transfers.draw(rng, (kind,), proto, family) for kind, proto, family in itertools.islice(itertools.cycle(kinds), 200)]
    with watch(two_workers) as seen, concurrent.futures.ThreadPoolExecutor(16) as pool:
        verdicts = pool.map(lambda task: (str(task), task.run(two_workers)), tasks)
        assert not [(task, verdict) for task, verdict in verdicts if verdict.kind != "whole"]
    assert not seen.errors
