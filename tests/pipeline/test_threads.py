"""Work in threads: in order, and bounded."""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from stylenet.pipeline.threads import ROOM, WORKERS, in_order, one_ahead


@dataclass
class Piece:
    number: int
    pixels: int = 0


def pieces(count: int, taken: list[int], pixels: int = 0) -> Iterator[Piece]:
    for number in range(count):
        taken.append(number)
        yield Piece(number, pixels)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.mark.parametrize("eager", [False, True])
def test_results_keep_the_order_whatever_takes_longer(pool: ThreadPoolExecutor, eager: bool) -> None:
    def slow_when_even(piece: Piece) -> int:
        time.sleep(0.01 * (piece.number % 2 == 0))
        return piece.number

    assert list(in_order(pool, slow_when_even, pieces(20, []), eager)) == list(range(20))


@pytest.mark.parametrize(("pixels", "most"), [(0, WORKERS + 3), (ROOM, 3)])
def test_only_so_much_is_under_way_as_there_is_room(pool: ThreadPoolExecutor, pixels: int, most: int) -> None:
    taken: list[int] = []
    for done, _ in enumerate(in_order(pool, lambda piece: piece, pieces(40, taken, pixels))):
        assert len(taken) == min(40, done + most)


class AtOnce(Executor):
    """Does what it is asked for before it answers, so that what is done and what isn't is no matter of luck."""

    def submit(self, function, /, *arguments):
        done: Future = Future()
        done.set_result(function(*arguments))
        return done


@pytest.mark.parametrize(("eager", "most"), [(True, 1), (False, WORKERS + 3)])
def test_eager_results_are_handed_out_once_they_are_done(eager: bool, most: int) -> None:
    taken: list[int] = []
    assert next(in_order(AtOnce(), lambda piece: piece.number, pieces(40, taken), eager)) == 0
    assert len(taken) == most


def test_one_item_is_made_ahead_and_no_more() -> None:
    taken: list[int] = []
    for done, piece in enumerate(one_ahead(AtOnce(), pieces(5, taken))):
        assert piece.number == done
        assert len(taken) == min(5, done + 2)


def test_what_goes_wrong_in_a_thread_goes_wrong_here(pool: ThreadPoolExecutor) -> None:
    def failing(piece: Piece) -> None:
        raise ZeroDivisionError(piece.number)

    with pytest.raises(ZeroDivisionError):
        list(in_order(pool, failing, pieces(3, [])))
