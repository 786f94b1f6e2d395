"""The connection cut at each byte of an exchange: nothing is lost, nothing is
there twice, and what others have there is left alone.

Between the cut and the look at the server the cache's minutes pass in
milliseconds: see tests/tools/cache_tool.c.
"""
import concurrent.futures
import contextlib
import os

import pytest

from servers.cut import Worker

STRIDE = int(os.environ.get("MAILMOUNT_CUT_EVERY", "7"))
WORKERS = 4
DEEDS = [Worker.append, Worker.store, Worker.move]


def campaign(worker, number, deed):
    """One worker's share: the cuts whose place is number, modulo WORKERS."""
    worker.append()
    worker.cache.go(300)
    totals = worker.measure(deed)
    places = [(direction, count) for direction in (0, 1)
              for count in range(1, totals[direction] + 1, STRIDE)]
    mine = places[number::WORKERS]
    for direction, count in mine:
        worker.cut(deed, direction, count)
    return len(mine), worker.cuts, worker.faults, worker.seconds


@pytest.mark.timeout(900)
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_cut_loses_and_doubles_nothing(dovecot, user, deed, capsys):
    with contextlib.ExitStack() as stack:
        # One after the other: Dovecot fails who creates while another does.
        workers = [stack.enter_context(contextlib.closing(
            Worker(dovecot, number, user))) for number in range(WORKERS)]
        pool = stack.enter_context(
            concurrent.futures.ThreadPoolExecutor(WORKERS))
        shares = list(pool.map(campaign, workers, range(WORKERS),
                               [deed] * WORKERS))
    places, cuts = (sum(share[i] for share in shares) for i in (0, 1))
    faults = [fault for share in shares for fault in share[2]]
    slowest = max(max(share[3]) for share in shares)
    with capsys.disabled():
        print(f"\ncut: dovecot {deed.__name__}: {places} places, "
              f"{cuts} cuts, {len(faults)} faults; at most {slowest:.0f} s "
              "until all was well")
    assert faults == []
    # The last places are in what may follow: a look for news.
    assert cuts > 0.5 * places
