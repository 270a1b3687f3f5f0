"""The read side: a question in a conversation, search, answer. `Assistant.open` is the only wiring."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path

from qa import answer as answers
from qa import ingest, models, prose, quoting, search, support
from qa.aims import aim_of, topic
from qa.confidence import CALIBRATION, Calibration, read_calibration
from qa.conversation import Message, points_back, standalone
from qa.generate import endpoint, never
from qa.prose import LanguageModel
from qa.rewriting import rewritten
from qa.segments import part_at
from qa.settings import Settings
from qa.store import open_store
from qa.turns import Turns
from qa.types import (
    NO_FILTERS,
    Answer,
    BuildReport,
    CorpusError,
    Document,
    Embedder,
    Entry,
    Filters,
    Kind,
    ModelError,
    Passage,
    Place,
    Progress,
    QAError,
    Quote,
    Reader,
    Reranker,
    Segment,
    Snapshot,
    Span,
    Store,
    StoreError,
    Struck,
    Verdict,
    beside,
    place,
)
from qa.wording import worded

MAX_QUESTION = 2_000
"""Characters; a longer text is a document rather than a question."""

SIDE_BY_SIDE = max(2, os.cpu_count() or 2)
"""Questions that are read for at once; the others wait their turn, but not for what a language model writes. On two
cores the last of twenty waits less for two than for four; see "Twenty people at once" in BENCHMARKS.md."""

MAX_PASSAGES = 100
"""The most passages that one retrieval returns."""


class Assistant:
    """Loaded once, asked often, from any number of threads. Each question sees the newest index, whole."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        reranker: Reranker,
        calibration: Calibration = CALIBRATION,
        model: LanguageModel | None = None,
        reader: Reader | None = None,
        judge: Callable[[], Reranker] | None = None,
    ) -> None:
        self.calibration = calibration
        self._model = model
        self._turns = Turns(SIDE_BY_SIDE)
        self._store = store
        self._embedder = embedder
        self._reranker = reranker
        self._reader = reader
        self._judge = judge

    @property
    def model(self) -> LanguageModel | None:
        """The language model that writes answers in prose, where one is set."""
        return self._model

    def with_model(self, model: LanguageModel | None) -> Assistant:
        """The same assistant with another language model, or with none."""
        other = copy(self)
        other._model = model
        return other

    @classmethod
    def open(cls, store: str | Place | None = None, settings: Settings | None = None) -> Assistant:
        """Open an index, by default the one that the settings name.

        Raises StoreError when there is none, or when it was built with another embedder; ModelError without weights.
        """
        settings = settings or Settings.load()
        found = place(store or settings.store)
        where, calibration = open_store(found), read_calibration(beside(found))
        with where.snapshot() as snapshot:  # Before weights are loaded: what is wrong is said at once.
            name = models.embedder_name(settings)
            if name != snapshot.manifest.embedder and not Path(name).is_dir():
                raise _other_embedder(snapshot, name)
        embedder = models.load_embedder(settings)
        reranker, reader = models.load_reranker(settings, embedder), models.load_reader(settings)
        return cls(where, embedder, reranker, calibration, language_model(settings), reader, models.load_judge)

    def retrieve(
        self, question: str, k: int = 10, include_comments: bool = False, filters: Filters = NO_FILTERS
    ) -> list[Passage]:
        """The `k` best passages (1 to 100) of the documents that pass, best first; QAError when none passes."""
        if not 1 <= k <= MAX_PASSAGES:
            raise QAError(f"{k} passages cannot be retrieved; ask for a number from 1 to {MAX_PASSAGES}.")
        asked = self._fitting(checked(question))
        with self._snapshot() as snapshot:
            sources, _ = _scope(snapshot, filters)
            return self._search(snapshot, self._worded(asked, snapshot), k, include_comments, sources)

    def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        include_comments: bool = False,
        filters: Filters = NO_FILTERS,
    ) -> Answer:
        """The answer, or the refusal, that the documents that pass give to a question; QAError when none passes.

        `history` holds the earlier messages (role, content).
        """
        *_, whole = self.stream(question, history, include_comments, filters)
        return whole

    def stream(
        self,
        question: str,
        history: Sequence[Message] = (),
        include_comments: bool = False,
        filters: Filters = NO_FILTERS,
        stopped: Callable[[], bool] = never,
    ) -> Iterator[Answer]:
        """The answer as it grows: first with the quotes alone, then, where a language model is set and the articles
        answer, once more with each of its statements; the last is what `ask` returns.

        When `stopped()` is true, or the iterator is closed, nothing is waited for any longer.
        """
        typed = self._fitting(checked(question))
        alone = self._standalone(typed, history, stopped)
        with self._turns.taken(stopped) as mine:
            if not mine:
                return
            with self._snapshot() as snapshot:
                answer = self._answer(snapshot, typed, alone, include_comments, filters)
                read = self._read(snapshot, answer)
        yield answer
        if self._model and answer.answered:  # What is refused, a model is not to answer from what it knows.
            yield from prose.write(self._model, answer.question, answer, read, self._support, stopped)

    def _standalone(self, typed: str, history: Sequence[Message], stopped: Callable[[], bool]) -> str:
        """The question as it reads without its conversation."""
        if self._model and history and points_back(typed):
            with suppress(ModelError):  # Where the model is to write, too, it will be said.
                if line := rewritten(self._model.endpoint, typed, history, stopped):
                    return line
        return standalone(typed, history)

    def _answer(self, snapshot: Snapshot, typed: str, alone: str, include_comments: bool, filters: Filters) -> Answer:
        """The answer that quotes alone give to what was typed, found by how it reads alone."""
        sources, searched = _scope(snapshot, filters)
        said = self._worded(typed, snapshot)
        asked = self._worded(alone, snapshot)
        if self._embedder.count(asked) > self._embedder.window:
            asked = said
        aim = aim_of(said)
        k = answers.SPREAD if aim.several else answers.READ
        passages = self._search(snapshot, asked, k, include_comments, sources, early=not aim.several)
        return answers.answer(
            asked,
            topic(said),
            aim,
            passages,
            self._reranker,
            self._reader,
            self._judge,
            self.calibration,
            searched,
            lambda passage: _around(snapshot, passage),
        )

    def _read(self, snapshot: Snapshot, answer: Answer) -> list[Quote]:
        """The sentences that a language model may cite."""
        if not self._model or not answer.answered:
            return []
        return prose.citable(answers.sentences_of(answer.passages, lambda passage: _around(snapshot, passage)))

    def _support(self, statement: str, cited: Sequence[str]) -> Struck:
        return support.struck(statement, cited, models.load_judge())

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        """The newest generation; StoreError when another embedder made it."""
        with self._store.snapshot() as snapshot:
            if snapshot.manifest.weights != self._embedder.weights:
                raise _other_embedder(snapshot, self._embedder.name)
            yield snapshot

    def _worded(self, question: str, snapshot: Snapshot) -> str:
        return worded(question, snapshot, self._embedder.count)

    def _fitting(self, question: str) -> str:
        """The question; QAError when the embedder could not read it to its end."""
        if self._embedder.count(question) > self._embedder.window:
            raise QAError(f"The question is longer than the {self._embedder.window} tokens that are read; shorten it.")
        return question

    def verify_quote(self, text: str, source: str = "") -> list[Verdict]:
        """Whether a text stands in the articles word for word: one verdict for it as it is, else one a sentence.

        Differences of quotation marks, dashes, blanks, line ends and capitals do not count, nothing else is let pass.
        With `source`, "exact" is what stands in that document. QAError when the text is empty, longer than 20,000
        characters or when there is no such document.
        """
        with self._store.snapshot() as snapshot:
            return quoting.verify(snapshot, text, source)

    def document(self, source: str) -> Document:
        """An indexed document with its exact text; StoreError if there is none of that name."""
        return self.labelled(source)[0]

    def labelled(self, source: str) -> tuple[Document, tuple[Segment, ...]]:
        """An indexed document and its labelled parts, of one generation; StoreError if there is none of that name."""
        with self._store.snapshot() as snapshot:
            return snapshot.document(source), snapshot.segments(source)

    def sources(self) -> list[str]:
        """The names of all indexed documents, sorted."""
        with self._store.snapshot() as snapshot:
            return snapshot.sources()

    def entries(self) -> list[Entry]:
        """The catalogue: all indexed documents with what they say of themselves, by name."""
        with self._store.snapshot() as snapshot:
            return list(snapshot.entries())

    def _search(
        self,
        snapshot: Snapshot,
        question: str,
        k: int,
        include_comments: bool,
        sources: Collection[str] | None,
        early: bool = False,
    ) -> list[Passage]:
        def ranked(kinds: tuple[Kind, ...]) -> list[Passage]:
            asked = topic(question)
            return search.search(snapshot, self._embedder, self._reranker, asked, k, kinds, early, sources)

        # Where no reader has commented, the articles are asked.
        comments = aim_of(question).comments and ranked(search.COMMENTS)
        return comments or ranked(search.BOTH if include_comments else search.ARTICLES)


def language_model(settings: Settings) -> LanguageModel | None:
    """The language model that the settings name, as it is asked; None when they name none."""
    found = endpoint(settings)
    return LanguageModel(found, models.token_counter(settings), settings.llm_context) if found else None


def _scope(snapshot: Snapshot, filters: Filters) -> tuple[Collection[str] | None, int]:
    """The sources that are asked (None: all), and how many chunks they have; QAError when no document passes."""
    if filters == NO_FILTERS:
        return None, snapshot.size
    entries = snapshot.entries()
    admitted = [entry for entry in entries if filters.admits(entry)]
    if not admitted:
        raise _none_admitted(filters, entries)
    return {entry.source for entry in admitted}, sum(entry.passages + entry.comments for entry in admitted)


def _none_admitted(filters: Filters, entries: Sequence[Entry]) -> QAError:
    sources, outlets = {entry.source for entry in entries}, {entry.outlet for entry in entries}
    unknown = [f"no document {name!r}" for name in filters.documents if name not in sources]
    unknown += [f"no outlet {name!r}" for name in filters.outlets if name not in outlets]
    if unknown:
        has = f"The index has {' and '.join(unknown)}"
        return QAError(f"{has}; check how it is written, or run `qa index` to add what is new.")
    return QAError("No article passes all of the filters; widen the dates, or leave a filter out.")


def _around(snapshot: Snapshot, passage: Passage) -> tuple[Document, Span]:
    """A passage's document, and the segment that the passage stands in."""
    part = part_at(snapshot.segments(passage.source), passage.start)
    return snapshot.document(passage.source), part.span if part else passage.chunk.span


def build_index(
    corpus: str | Path | None = None,
    store: str | Place | None = None,
    progress: Progress | None = None,
    settings: Settings | None = None,
    announce: Callable[[ingest.Plan], None] | None = None,
) -> BuildReport:
    """Bring an index up to date with a folder of articles; only what changed is read and embedded again.

    The index is seen whole or not at all: an interrupted build changes nothing, and the next one goes on where it
    stopped. `announce` is told the plan before anything is read. Raises CorpusError when the folder is missing or
    empty, StoreError when another build is running.
    """
    settings = settings or Settings.load()
    folder, found = Path(corpus or settings.corpus), place(store or settings.store)
    where = open_store(found)
    _check_articles(folder, where, found)  # Before weights are loaded.
    return ingest.build(
        folder,
        where,
        models.load_embedder(settings),
        models.token_counter(settings),
        progress,
        announce,
    )


def _check_articles(folder: Path, store: Store, where: Place) -> None:
    """CorpusError when there is nothing to build from; an index is not emptied for that: a disk may be missing."""
    try:
        ingest.articles(folder)
    except CorpusError as error:
        if not store.built():
            raise
        kept = f"the index in {where} answers as before, until you remove that folder"
        raise CorpusError(f"{str(error).removesuffix('.')}; {kept}.") from error


def plan_index(settings: Settings | None = None) -> ingest.Plan:
    """What `build_index` would do with the settings' folders; nothing is changed and no weights are loaded."""
    settings = settings or Settings.load()
    return ingest.plan(settings.corpus, open_store(settings.store), models.embedder_name(settings))


def checked(question: str) -> str:
    """The question without the blanks around it; QAError when it is empty or far too long."""
    # What a terminal hands over may not be Unicode; it is shown as "?" rather than failing further in.
    asked = " ".join(str(question).encode("utf-8", "replace").decode().split())
    if not re.search(r"\w", asked):
        raise QAError("The question is empty; type at least one word.")
    if len(asked) > MAX_QUESTION:
        raise QAError(f"The question has {len(asked):,} characters; shorten it to at most {MAX_QUESTION:,}.")
    return asked


def _other_embedder(snapshot: Snapshot, name: str) -> StoreError:
    built = snapshot.manifest.embedder
    return StoreError(f"The index was built with {built} and {name} is set; run `qa index` to build it anew.")
