"""Work in threads: in order, bounded, and with every error."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from stylenet.prefetch import ROOM, WORKERS, ahead, behind, in_order


@dataclass
class Piece:
    number: int
    pixels: int = 0


def pixels_of(piece: Piece) -> int:
    return piece.pixels


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

    assert list(in_order(pool, slow_when_even, pieces(20, []), eager=eager)) == list(range(20))


@pytest.mark.parametrize(("pixels", "most"), [(0, WORKERS + 3), (ROOM, 2)])
def test_only_so_much_is_under_way_as_there_is_room(pool: ThreadPoolExecutor, pixels: int, most: int) -> None:
    taken: list[int] = []
    for done, _ in enumerate(in_order(pool, lambda piece: piece, pieces(40, taken, pixels), cost=pixels_of)):
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
    assert next(in_order(AtOnce(), lambda piece: piece.number, pieces(40, taken), eager=eager)) == 0
    assert len(taken) == most


def test_one_item_is_read_ahead_and_no_more() -> None:
    taken: list[int] = []
    with ahead(pieces(5, taken), depth=1) as items:
        for done, piece in enumerate(items):
            time.sleep(0.01)
            assert piece.number == done
            assert len(taken) <= min(5, done + 2)


def test_what_goes_wrong_in_a_thread_goes_wrong_here(pool: ThreadPoolExecutor) -> None:
    def failing(piece: Piece) -> None:
        raise ZeroDivisionError(piece.number)

    with pytest.raises(ZeroDivisionError):
        list(in_order(pool, failing, pieces(3, [])))


PATIENCE = 10  # seconds until a wait that should end counts as failed


def test_items_come_in_order_and_only_a_few_are_taken_ahead() -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with ahead(numbers(), depth=3) as items:
        leads = [len(taken) - number for number in items]
    assert taken == list(range(100))
    assert max(leads) <= 5


def test_the_next_item_is_taken_while_the_last_is_worked_on() -> None:
    second = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    with ahead(numbers()) as items:
        assert next(items) == 1
        assert second.wait(PATIENCE)


def test_putting_goes_on_while_the_sink_works_up_to_the_depth() -> None:
    go, through = threading.Event(), []

    def sink(number: int) -> None:
        assert go.wait(PATIENCE)
        through.append(number)

    with behind(sink, depth=3) as put:
        for number in range(3):
            put(number)
        assert through == []
        go.set()
    assert through == [0, 1, 2]


def test_a_sink_that_fails_gets_nothing_more() -> None:
    through: list[int] = []

    def sink(number: int) -> None:
        if number == 2:
            raise ZeroDivisionError
        through.append(number)

    with pytest.raises(ZeroDivisionError), behind(sink) as put:
        deque(map(put, range(6)))
    assert through == [0, 1]


def test_an_error_of_the_reader_arrives_after_what_it_read() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with ahead(numbers()) as items:
        assert next(items) == 1
        with pytest.raises(ZeroDivisionError):
            next(items)


@pytest.mark.parametrize("count", [1, 50])
def test_an_error_of_the_writer_arrives_at_the_latest_in_the_end(count: int) -> None:
    def put_all() -> None:
        with behind(lambda number: 1 // number) as put:
            for number in range(count):
                put(number)

    with pytest.raises(ZeroDivisionError):
        put_all()


def test_an_error_of_the_work_itself_ends_both_threads() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    def work() -> None:
        with behind(lambda _: None) as put, ahead(endless()) as items:
            for number in items:
                put(number // 0)

    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        work()
    assert threading.active_count() == threads
