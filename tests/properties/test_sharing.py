"""Partitions are shared out evenly, and move only to who has their state, while somebody owns them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.transport.sharing import Member, Portion, share_out

ROUNDS = 12
"""Rebalances within which everything must be at its place: two for a move, and some for chance."""

numbers = st.integers(0, 11)
some = st.frozensets(numbers)
members = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(
        Member,
        owned=some,
        near=some,
        merger=st.booleans(),
        leaving=st.booleans(),
        generation=st.integers(-1, 3),
    ),
    min_size=1,
)


@given(members, st.integers(0, 12))
def test_whatever_members_say_each_partition_and_the_merger_are_active_at_exactly_one(
    says: dict[str, Member], count: int
) -> None:
    shares = share_out(says, range(count))

    assert shares.keys() == says.keys()
    assert sorted(number for share in shares.values() for number in share.active) == list(range(count))
    assert sum(share.merger for share in shares.values()) == 1
    assert not any(share.active & share.standby for share in shares.values())


@given(members, st.integers(0, 12))
def test_the_order_of_members_does_not_matter(says: dict[str, Member], count: int) -> None:
    assert share_out(says, range(count)) == share_out(dict(reversed(says.items())), range(count))


@given(members, st.integers(1, 12))
def test_a_partition_that_is_open_somewhere_moves_only_to_who_is_near(
    says: dict[str, Member], count: int
) -> None:
    shares = share_out(says, range(count))

    for name, share in shares.items():
        for number in share.active:
            owners = [other for other in says if number in says[other].owned]
            assert not owners or name in owners or number in says[name].near


@given(members)
def test_who_leaves_gets_nothing_new_while_others_stay(says: dict[str, Member]) -> None:
    staying = [name for name in says if not says[name].leaving]
    if not staying:
        return
    for name, share in share_out(says, range(12)).items():
        if says[name].leaving:
            assert not share.standby
            assert not share.merger
            assert share.active <= says[name].owned


def obeyed(
    says: dict[str, Member], shares: dict[str, Portion], generation: int, late: bool
) -> dict[str, Member]:
    """Return what members say next: what they got is open, and their standbys are near, or half of them."""
    return {
        name: Member(
            owned=share.active,
            near=frozenset(sorted(share.standby)[: len(share.standby) // 2 + 1] if late else share.standby),
            merger=share.merger,
            leaving=says[name].leaving,
            generation=generation,
        )
        for name, share in shares.items()
    }


@given(members, st.integers(1, 12), st.booleans())
def test_after_some_rebalances_all_have_their_even_share_and_nothing_moves_any_more(
    says: dict[str, Member], count: int, late: bool
) -> None:
    for generation in range(4, 4 + ROUNDS):
        shares = share_out(says, range(count))
        says = obeyed(says, shares, generation, late)
    staying = [name for name in says if not says[name].leaving] or list(says)
    sizes = [len(shares[name].active) for name in staying]

    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1
    assert not any(share.standby for share in shares.values())
    assert share_out(says, range(count)) == shares


def open_at(*owned: int, near: tuple[int, ...] = (), leaving: bool = False) -> Member:
    """Return what a member of generation 1 says."""
    return Member(frozenset(owned), frozenset(near), leaving=leaving, generation=1)


def test_who_joins_stands_by_first_and_takes_over_then() -> None:
    first = share_out({"a": open_at(0, 1, 2, 3), "b": Member()}, range(4))
    assert first["a"].active == {0, 1, 2, 3}
    assert first["b"].standby == {2, 3}

    then = share_out({"a": open_at(0, 1, 2, 3), "b": open_at(near=(2, 3))}, range(4))
    assert then["a"].active == {0, 1}
    assert then["b"].active == {2, 3}
    assert not then["b"].standby


def test_who_leaves_works_until_the_others_are_near() -> None:
    first = share_out({"a": open_at(0, 1), "b": open_at(2, 3, leaving=True)}, range(4))
    assert first["a"].standby == first["b"].active == {2, 3}
    assert (first["a"].others, first["b"].others) == (0, 1)

    then = share_out({"a": open_at(0, 1, near=(2, 3)), "b": open_at(2, 3, leaving=True)}, range(4))
    assert then["a"].active == {0, 1, 2, 3}
    assert not then["b"].active


def test_what_a_dead_worker_had_is_opened_at_once_and_nothing_else_moves() -> None:
    shares = share_out({"a": open_at(0, 1), "b": open_at(2, 3)}, range(6))

    assert shares["a"].active == {0, 1, 4}
    assert shares["b"].active == {2, 3, 5}


def test_of_two_that_say_they_own_a_partition_the_one_with_the_newer_word_does() -> None:
    """The older one was thrown out of the group and does not know what has happened since."""
    old = Member(owned=frozenset({0}), generation=4)
    new = Member(owned=frozenset({0, 1}), generation=5)

    shares = share_out({"a": old, "b": new}, range(2))

    assert shares["b"].active == {0, 1}
    assert shares["a"].standby == {1}


def test_nobody_is_there_to_take_over_when_all_leave() -> None:
    shares = share_out({"a": open_at(0, leaving=True), "b": open_at(1, leaving=True)}, range(2))

    assert [share.others for share in shares.values()] == [0, 0]
    assert shares["a"].active == {0}
    assert shares["b"].active == {1}
