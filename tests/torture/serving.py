"""Readers and rebuilders beside each other over one index that alternates between two states."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qa import Answer, Assistant, Document, Entry, ingest
from qa.store import open_store
from qa.types import Segment, StoreError
from tests.conftest import words
from tests.torture import states

A = dict.fromkeys(range(12), "alpha")
B = dict.fromkeys((*range(4, 12), *range(20, 24)), "beta")
"""What they share has another text in each."""


LINGER = 1.5
"""Seconds."""


@dataclass(frozen=True, slots=True)
class State:
    """One of the two: its articles, and all that an index of them shows."""

    corpus: Path
    articles: Mapping[str, tuple[Document, tuple[Segment, ...]]]
    entries: list[Entry]

    def quoted(self, answer: Answer) -> bool:
        """Whether everything that an answer shows is of this state, at its place."""
        places = [(quote.source, quote.start, quote.end, quote.text) for quote in answer.quotes]
        places += [(found.source, found.start, found.end, found.text) for found in answer.passages]
        return all(
            source in self.articles and self.articles[source][0].text[start:end] == text
            for source, start, end, text in places
        )


def known(folder: Path, numbers: Mapping[int, str]) -> State:
    """What an index shows that nothing happens to."""
    corpus = folder / "corpus"
    states.write(corpus, states.corpus(numbers))
    states.build(corpus, open_store(folder / "store"))
    assistant = states.assistant(open_store(folder / "store"))
    return State(corpus, {source: assistant.labelled(source) for source in assistant.sources()}, assistant.entries())


@dataclass(slots=True)
class Counts:
    """What the threads saw: `waited` counts builds, `locked_out` reads that were told that a build is running, and
    `wrong` holds what none of them may ever see.
    """

    answers: int = 0
    quotes: int = 0
    documents: int = 0
    absent: int = 0
    catalogues: int = 0
    committed: int = 0
    waited: int = 0
    locked_out: int = 0
    wrong: list[str] = field(default_factory=list)


class Scene:
    """The threads and the index between them."""

    def __init__(self, store: Path, both: tuple[State, State]) -> None:
        self.counts = Counts()
        self._store = store
        self._both = both
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def play(self, readers: int, rebuilders: int, seconds: float) -> Counts:
        """Have so many read and rebuild for so long."""
        assistant = states.assistant(open_store(self._store))
        threads = [threading.Thread(target=self._read, args=(assistant, number)) for number in range(readers)]
        threads += [threading.Thread(target=self._rebuild, args=(number,)) for number in range(rebuilders)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self._ended.set()
        for thread in threads:
            thread.join()
        return self.counts

    def _read(self, assistant: Assistant, number: int) -> None:
        chance = random.Random(number)
        names = sorted({source for state in self._both for source in state.articles})
        uses: list[Callable[[], None]] = [
            lambda: self._asked(assistant.ask(chance.choice(states.QUESTIONS), include_comments=True)),
            lambda: self._opened(assistant, chance.choice(names)),
            lambda: self._listed(assistant.entries()),
        ]
        while not self._ended.is_set():
            try:
                chance.choice(uses)()
            except Exception as error:
                self._failed(error)
            self._ended.wait(chance.uniform(0, 0.1))

    def _asked(self, answer: Answer) -> None:
        if not any(state.quoted(answer) for state in self._both):
            self._wrong(f"a mixed answer: {answer}")
        with self._lock:
            self.counts.answers += 1
            self.counts.quotes += len(answer.quotes)

    def _opened(self, assistant: Assistant, source: str) -> None:
        holding = [state.articles[source] for state in self._both if source in state.articles]
        try:
            found = assistant.labelled(source)
        except StoreError as error:
            if len(holding) == len(self._both) or not str(error).startswith("No document"):
                raise
            with self._lock:
                self.counts.absent += 1
            return
        if found not in holding:
            self._wrong(f"not the document of either state: {found}")
        with self._lock:
            self.counts.documents += 1

    def _listed(self, entries: list[Entry]) -> None:
        if not any(state.entries == entries for state in self._both):
            self._wrong(f"not the catalogue of either state: {entries}")
        with self._lock:
            self.counts.catalogues += 1

    def _rebuild(self, number: int) -> None:
        store, turn = open_store(self._store), number
        while not self._ended.is_set():
            try:
                corpus, linger = self._both[turn % 2].corpus, self._linger if turn % 8 == 3 else None
                report = ingest.build(corpus, store, states.QuickEmbedder(), words, linger)
                turn += 1
            except Exception as error:
                self._failed(error, building=True)
                self._ended.wait(0.01)
            else:
                with self._lock:
                    self.counts.committed += bool(report.added or report.changed or report.removed)

    def _linger(self, stage: str, done: int, total: int) -> None:
        """Some builds take long enough for the other rebuilder to be told, even where it waits a little."""
        if (stage, done) == ("embedding", 0):
            self._ended.wait(LINGER)

    def _failed(self, error: Exception, building: bool = False) -> None:
        if isinstance(error, StoreError) and str(error).startswith(f"Another build of {self._store} is running; wait"):
            with self._lock:
                self.counts.waited += building
                self.counts.locked_out += not building
        else:
            self._wrong(f"{type(error).__name__}: {error}")

    def _wrong(self, what: str) -> None:
        with self._lock:
            self.counts.wrong.append(what[:500])
