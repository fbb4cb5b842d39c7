"""Which photo in review comes when, and when its decision is carried out."""

from hypothesis import given
from hypothesis import strategies as st

from bgdesk.batch.model.values import Decision
from bgdesk.batch.run.review_deck import Judgement, ReviewDeck

ACCEPTED, REJECTED = Decision.ACCEPTED, Decision.REJECTED


def test_decisions_go_on_to_the_next_and_lag_one_behind() -> None:
    deck = ReviewDeck()
    deck.bring([5, 6, 7])
    assert (deck.current, deck.position, deck.ahead(2)) == (5, (1, 3), [6, 7])
    assert deck.decide(ACCEPTED) is None  # pending, so that it can be undone
    assert (deck.current, deck.position) == (6, (2, 3))
    assert deck.decide(REJECTED) == Judgement(5, ACCEPTED)
    assert deck.undo()
    assert (deck.current, deck.pending) == (6, None)
    assert not deck.undo()  # only the last one
    assert deck.decide(ACCEPTED) is None
    assert deck.decide(ACCEPTED) == Judgement(6, ACCEPTED)
    assert deck.current is None
    assert deck.settle() == Judgement(7, ACCEPTED)
    assert deck.settle() is None
    assert deck.decisions == {5: ACCEPTED, 6: ACCEPTED, 7: ACCEPTED}


def test_steps_pass_over_what_is_decided_and_go_round() -> None:
    deck = ReviewDeck()
    deck.bring([1, 2, 3, 4])
    deck.step(1)
    deck.decide(ACCEPTED)  # 2
    assert deck.current == 3
    deck.step(-1)
    assert deck.current == 1
    deck.step(-1)
    assert deck.current == 4
    deck.decide(REJECTED)
    assert deck.current == 1  # those that were passed over come again
    assert deck.ahead(5) == [3]


def test_later_ones_stand_at_the_end_and_those_decided_elsewhere_go() -> None:
    deck = ReviewDeck()
    deck.bring([1, 2])
    deck.bring([1, 2, 9])
    assert deck.position == (1, 3)
    deck.bring([2, 9])  # somebody accepted 1 on the command line
    assert deck.current == 2
    deck.decide(ACCEPTED)
    deck.decide(ACCEPTED)
    assert [deck.current, deck.left] == [None, 0]
    deck.bring([9, 1])  # 1 was done anew, and waits again; 9 is pending
    assert deck.current == 1


def test_fixed_photos_are_done_with() -> None:
    deck = ReviewDeck()
    deck.bring([1, 2])
    deck.fixed(1)
    assert deck.current == 2
    assert deck.decisions == {1: Decision.FIXED}


@given(st.lists(st.sampled_from(["accept", "reject", "next", "previous", "undo"]), max_size=30))
def test_whatever_is_pressed_each_photo_is_decided_once(keys: list[str]) -> None:
    deck, carried = ReviewDeck(), []
    deck.bring(list(range(5)))
    for key in keys:
        if key in ("accept", "reject"):
            due = deck.decide(ACCEPTED if key == "accept" else REJECTED)
            carried += [due] if due else []
        elif key == "undo":
            deck.undo()
        else:
            deck.step(1 if key == "next" else -1)
    last = deck.settle()
    carried += [last] if last else []
    ids = [said.id for said in carried]
    assert len(set(ids)) == len(ids)
    assert len(ids) + deck.left == 5
    assert (deck.current is None) == (deck.left == 0)
