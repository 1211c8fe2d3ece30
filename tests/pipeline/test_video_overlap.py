"""Reading, work and writing at once."""

import threading
from collections.abc import Iterator

import pytest

from stylenet.pipeline.overlap import ahead, behind

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
