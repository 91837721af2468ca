"""Two workers: a join that arrives on the worker that does not own the session."""

import pytest

from lab import GATEWAY, metric

pytestmark = pytest.mark.usefixtures("braid_only")


def figures(lab):
    samples = lab.metrics()
    return metric(samples, "braid_mptcp_joins_total", result="ok"), metric(samples, "braid_worker_handoffs_total")


def test_join_on_the_wrong_worker_reaches_its_owner(two_workers, family, watch):
    """The kernel spreads connections over the port's queues by a hash, so half of all joins arrive on the wrong worker;
    64 sessions in which none did would be a chance of one in 2^64."""
    joined_before, handed_before = figures(two_workers)
    with watch(two_workers) as seen:
        for _ in range(64):
            got = two_workers.client("echo", to=GATEWAY[family], bytes=4 << 20)
            assert got["outcome"] == "done", got
            joined, handed = figures(two_workers)
            if handed > handed_before and joined > joined_before:
                break
    assert handed > handed_before
    assert joined - joined_before == seen.joins  # none was lost on the way
    assert not seen.errors


def test_both_workers_serve(two_workers, family):
    def loads():
        return {dict(labels)["worker"]: value for (name, labels), value in two_workers.metrics().items()
                if name == "braid_worker_busy_seconds_total"}

    before = loads()
    assert two_workers.client("many", to=GATEWAY[family], count=100, bytes=2000)["outcome"] == "done"
    after = loads()
    assert len(after) == 2
    assert all(after[worker] > before[worker] for worker in after)
