"""What a chaos run does is seeded and leaves no kind of harm out."""

from __future__ import annotations

import random

import pytest

from tests.chaos.actions import ACTIONS, ALL_DOWN_EVERY, FIRST, all_down, draw
from tests.chaos.shop import DEAD, DUPLICATE, ERASE, Shop


def test_the_same_seed_draws_the_same_actions_and_another_one_does_not() -> None:
    assert draw(50, random.Random(1)) == draw(50, random.Random(1)) != draw(50, random.Random(2))


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_of_action_occurs_and_all_brokers_go_down_once_in_25_rounds(seed: int) -> None:
    drawn = draw(100, random.Random(seed))

    assert len(drawn) == 100
    assert set(drawn) == set(ACTIONS.values())
    for start in range(0, 100, ALL_DOWN_EVERY):
        assert drawn[start : start + ALL_DOWN_EVERY].count(all_down) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_run_kills_workers_freezes_one_and_kills_a_broker(seed: int) -> None:
    assert set(draw(3, random.Random(seed))) == set(FIRST)


@pytest.mark.parametrize("rounds", [10, 12, 24])
def test_a_run_of_ten_rounds_has_all_brokers_down_once(rounds: int) -> None:
    assert draw(rounds, random.Random(1)).count(all_down) == 1


def test_the_same_seed_makes_the_same_records() -> None:
    def made(seed: int) -> list[object]:
        shop = Shop(seed, 50)
        return [record for i in range(2000) for record in (*shop.visit(i), *shop.turn_over(i))]

    assert made(1) == made(1) != made(2)


def test_a_record_that_comes_twice_comes_directly_after_and_only_on_a_customers_single_topic() -> None:
    shop = Shop(7, 100)
    records = [record for i in range(20_000) for record in shop.visit(i)]
    topics: dict[bytes, set[str]] = {}
    for record in records:
        if record.expect != DEAD:
            topics.setdefault(record.key, set()).add(record.topic)
    twice = [i for i, record in enumerate(records) if record.expect == DUPLICATE]

    assert twice
    for i in twice:
        assert records[i - 1].value == records[i].value
        assert len(topics[records[i].key]) == 1


def test_nothing_comes_of_a_customer_after_their_erasure() -> None:
    shop = Shop(7, 20)
    gone: set[bytes] = set()
    for i in range(5000):
        for record in (*shop.visit(i), *(shop.turn_over(i) if i % 50 == 0 else ())):
            assert record.key not in gone
            if record.expect == ERASE:
                gone.add(record.key)

    assert gone
