"""The worker stops when its input is mostly unusable."""

from __future__ import annotations

import pytest

from streams.codec.dead_letters import DeadLetter
from streams.codec.guards import PartitionerCheck, TooManyUnusableError, UnusableShare, WrongPartitionerError
from streams.codec.hashing import partition_for
from streams.codec.orders import total_orders
from streams.codec.reason_codes import ReasonCode
from streams.codec.schemas import Purchase
from streams.errors import ExitCode
from streams.records import CLICKS, VIEWS, RawBatch, RawList
from tests.codec_samples import part


def batch(n: int, topic: int = CLICKS, partition: int = 0) -> RawBatch:
    """Return n records of a topic partition."""
    raw = RawList()
    for i in range(n):
        raw.append(partition, topic, i, 0, b"k", b"")
    return raw.batch()


def dead(*indices: int, reason: ReasonCode = ReasonCode.NOT_JSON) -> list[DeadLetter]:
    """Return dead letters."""
    return [DeadLetter(i, reason, None, "") for i in indices]


def test_share_over_the_limit_stops() -> None:
    """One more than the share of the last 1,000 stops, and says reason, place and setting in one line."""
    guard = UnusableShare(0.9)
    letters = dead(*range(500), reason=ReasonCode.BAD_KEY) + dead(*range(500, 901))

    with pytest.raises(
        TooManyUnusableError, match=r"clicks\[3\]: 901 of the last 1000.*500 of them bad_key"
    ) as it:
        guard.observe(batch(1000, partition=3), letters)
    assert "LIVE_SEGMENTS_MAX_UNUSABLE_SHARE" in str(it.value)
    assert "\n" not in str(it.value)
    assert it.value.exit_code == ExitCode.INTERLOCK


def test_the_stop_names_the_currency_that_was_met_and_the_setting_to_change() -> None:
    """Pounds in a shop that reckons in euros."""
    purchases = [
        Purchase(event_id="e", customer_id="c", occurred_at=0, order_id="o", total=1.0, currency="GBP")
    ]
    _, refused = total_orders(purchases, "EUR", {})
    reason, field, detail = refused[0]
    letters = [DeadLetter(i, reason, field, detail) for i in range(1000)]

    with pytest.raises(TooManyUnusableError) as it:
        UnusableShare(0.9).observe(batch(1000), letters)
    said = str(it.value)
    assert (
        "currency is not LIVE_SEGMENTS_CURRENCY, and LIVE_SEGMENTS_CURRENCY_RATES has no rate for it" in said
    )
    assert "; the last one: it is GBP, the reporting currency is EUR)" in said


def test_share_at_the_limit_goes_on() -> None:
    """Exactly the share is allowed; so is anything before 1,000 records were seen, and everything at 1."""
    UnusableShare(0.9).observe(batch(1000), dead(*range(900)))
    UnusableShare(0.9).observe(batch(999), dead(*range(999)))
    UnusableShare(1.0).observe(batch(1000), dead(*range(1000)))
    UnusableShare(0.9).observe(RawList().batch(), [])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_window_slides(size: int) -> None:
    """Old dead letters leave the window, whatever the chunks: nine bad ones in ten are just allowed."""
    guard = UnusableShare(0.9)
    for start in range(0, 7000, size):
        n = min(size, 7000 - start)
        guard.observe(batch(n), dead(*(i for i in range(n) if (start + i) % 10)))

    with pytest.raises(TooManyUnusableError):
        guard.observe(batch(1), dead(0))


def test_topic_partitions_are_judged_apart() -> None:
    """A bad topic does not hide among the good ones of a batch, and a good one is not blamed."""
    guard = UnusableShare(0.5)
    some = RawList()
    for i in range(4000):
        some.append(i % 2, CLICKS if i % 4 < 2 else VIEWS, i, 0, b"k", b"")
    raw = some.batch()
    bad = [i for i in range(4000) if raw.topic[i] == VIEWS and raw.partition[i] == 1 and i >= 1000]

    with pytest.raises(TooManyUnusableError, match=r"product-views\[1\]: 750 of"):
        guard.observe(raw, dead(*bad))


def test_forget_starts_afresh() -> None:
    """A partition that comes back is judged on what is seen then."""
    guard = UnusableShare(0.5)
    guard.observe(batch(999), dead(*range(999)))
    guard.forget(0)
    guard.forget(77)
    guard.observe(batch(999), dead(*range(999)))

    with pytest.raises(TooManyUnusableError, match="1000 of the last"):
        guard.observe(batch(1), dead(0))


@pytest.mark.parametrize(("ours", "theirs"), [("murmur2", "crc32"), ("crc32", "murmur2")])
def test_wrong_partitioner_is_named(ours: str, theirs: str) -> None:
    """Keys placed by the other partitioner stop the worker after 1,000 of them, naming what fits."""
    check = PartitionerCheck(8, ours)
    raw = RawList()
    for i in range(1000):
        key = f"c-{i}".encode()
        raw.append(partition_for(key, 8, theirs), VIEWS, i, 0, key, b"")
    check.observe(part(raw.batch(), 0, 999))

    with pytest.raises(WrongPartitionerError, match=f"product-views.*LIVE_SEGMENTS_PARTITIONER={theirs}"):
        check.observe(part(raw.batch(), 999, 1000))


def test_no_fitting_partitioner_is_said() -> None:
    """Keys placed by chance stop the worker, and no partitioner is advised."""
    raw = RawList()
    for i in range(1000):
        raw.append(i % 8, VIEWS, i, 0, f"c-{i}".encode(), b"")

    with pytest.raises(WrongPartitionerError, match="neither of murmur2, crc32 fits"):
        PartitionerCheck(8, "murmur2").observe(raw.batch())


def test_right_partitioner_is_checked_once() -> None:
    """Strays among the first 1,000 do not stop the worker, and later keys are not looked at."""
    check = PartitionerCheck(8, "murmur2")
    for topic in range(4):
        raw = RawList()
        for i in range(1200):
            key = f"c-{i}".encode()
            right = partition_for(key, 8, "murmur2")
            raw.append(right if i % 3 else (right + 1) % 8, topic, i, 0, key, b"")
        assert not check.done
        check.observe(raw.batch())

    assert check.done
    check.observe(batch(5000, partition=7))
