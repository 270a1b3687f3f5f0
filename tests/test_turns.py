from __future__ import annotations

import threading
import time

from qa.generate import never
from qa.turns import Turns


def test_no_more_than_there_are_places_at_once_and_first_come_first_served() -> None:
    turns, served, inside, most = Turns(2), [], [0], [0]
    lock = threading.Lock()

    def person(number: int) -> None:
        with turns.taken(never) as mine:
            assert mine
            with lock:
                served.append(number)
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            with lock:
                inside[0] -= 1

    people = [threading.Thread(target=person, args=(number,)) for number in range(12)]
    for each in people:
        each.start()
        time.sleep(0.003)
    for each in people:
        each.join()
    assert most == [2]
    assert served == list(range(12))


def test_whoever_stops_leaves_the_line_and_holds_nobody_up() -> None:
    turns, stop, got = Turns(1), threading.Event(), []

    def impatient() -> None:
        with turns.taken(stop.is_set) as mine:
            got.append(mine)

    with turns.taken(never):
        waiting = threading.Thread(target=impatient)
        waiting.start()
        time.sleep(0.02)
        stop.set()
        waiting.join(5)
        assert got == [False]
    with turns.taken(never) as mine:
        assert mine, "the place is free again"


def test_an_error_gives_the_place_back() -> None:
    turns = Turns(1)
    for _ in range(3):
        try:
            with turns.taken(never):
                raise ZeroDivisionError
        except ZeroDivisionError:
            continue
    with turns.taken(never) as mine:
        assert mine
