"""The nouns of the project, the protocols its parts meet through, and its errors.

Offsets are half-open ranges of code points of `Document.text`, as Python's slices count them.

The error tree; every message is one sentence that ends with what to do:

    QAError
     ├─ CorpusError   the folder of articles cannot be read
     ├─ StoreError    the index is missing, foreign, damaged or busy
     └─ ModelError    weights are missing or not the ones that are pinned; a language model does not answer
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

Kind: TypeAlias = Literal["title", "body", "comment", "boilerplate"]
Vectors: TypeAlias = npt.NDArray[np.float32]
"""Rows of length one, shape (texts, dimension), float32."""

ChunkKey: TypeAlias = tuple[str, int]
"""(source, number) of a chunk; the order of keys is the order in which ties are broken."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with (stage, done, total) while an index is built."""


class QAError(Exception):
    """Something a person can mend; the message says how."""


class CorpusError(QAError):
    """The corpus folder, or a file in it, cannot be used."""


class StoreError(QAError):
    """The index cannot be used."""


class ModelError(QAError):
    """The weights, or a language model, cannot be used."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code points: `text[start:end]`."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters of `text` in this span."""
        return text[self.start : self.end]

    def shifted(self, by: int) -> Span:
        """The same span, `by` characters further on."""
        return Span(self.start + by, self.end + by)


@dataclass(frozen=True, slots=True)
class Document:
    """One article of the corpus with its exact text.

    `source` is the POSIX path below the corpus folder, with "#" and the line's number from 1 for a line of a .jsonl
    file. `text` is the file itself where it is text, else what its reader extracted. `date` is ISO 8601 (YYYY-MM-DD),
    `digest` the SHA-256 of the bytes in hexadecimal. What the file does not say is "". `pages` are the offsets at
    which the pages begin, () for a format without pages.
    """

    source: str
    text: str
    title: str
    date: str
    url: str
    author: str
    digest: str
    pages: tuple[int, ...] = ()

    def page(self, offset: int) -> int:
        """The number of the page, from 1, that a character stands on; 0 for a format without pages."""
        return bisect_right(self.pages, offset)


@dataclass(frozen=True, slots=True)
class Extract:
    """What a reader makes of an article's bytes: a text, and what the article says about itself, "" where it does not.

    `parts` are the labelled parts where the format tells them apart (in order, without overlap, covering every
    character that is not blank); () leaves that to `qa.segments`. `pages` as in `Document`.
    """

    text: str
    title: str = ""
    date: str = ""
    url: str = ""
    author: str = ""
    parts: tuple[Segment, ...] = ()
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as a catalogue lists it; `passages` and `comments` count its chunks of either kind, `copies` are the
    other documents that tell nearly the same (see `qa.copies`).
    """

    source: str
    title: str
    date: str
    url: str
    author: str
    digest: str
    passages: int
    comments: int
    copies: tuple[str, ...] = ()

    @property
    def outlet(self) -> str:
        """Who brought it out: the host of its address, else the folder that it is in, else ""."""
        try:
            host = (urlsplit(self.url).hostname or "").removeprefix("www.")
        except ValueError:
            host = ""
        folder, slash, _ = self.source.rpartition("/")
        return host or (folder if slash else "")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which documents are asked; what is empty leaves all in, and a document must pass everything else.

    `since` and `until` are a year, a month or a day in ISO 8601 ("2024", "2024-03", "2024-03-05"), both included; a
    document without a date is in no range. `outlets` are those of `Entry.outlet`, `documents` are sources; any one of
    them will do (one may be given as it is). QAError when a date is none, or when `until` is before `since`.
    """

    since: str = ""
    until: str = ""
    outlets: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no date, at once; a single name, or a list of them, becomes a tuple."""
        for name in ("outlets", "documents"):
            names = getattr(self, name)
            object.__setattr__(self, name, (names,) if isinstance(names, str) else tuple(names))
        for day in (self.since, self.until):
            _check_day(day)
        if self.until and self.until < self.since[: len(self.until)]:
            raise QAError(f"The range from {self.since} to {self.until} is empty; put the earlier date first.")

    def admits(self, entry: Entry) -> bool:
        """Whether a document is asked."""
        dated = bool(entry.date) or not (self.since or self.until)
        begun = not self.since or entry.date >= self.since
        ended = not self.until or entry.date[: len(self.until)] <= self.until
        from_outlet = not self.outlets or entry.outlet in self.outlets
        return dated and begun and ended and from_outlet and (not self.documents or entry.source in self.documents)


def _check_day(day: str) -> None:
    try:
        if day and not re.fullmatch(r"\d{4}(?:-\d{2}){0,2}", day, re.ASCII):
            raise ValueError
        if day:
            date.fromisoformat(f"{day}-01-01"[:10])
    except ValueError as error:
        raise QAError(f"'{day}' is no date; write a year, a month or a day: 2024, 2024-03 or 2024-03-05.") from error


NO_FILTERS = Filters()
"""Every document is asked."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled part of a document's text."""

    span: Span
    kind: Kind


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole sentences of one segment, small enough for the embedder; `number` counts from 0 in its document."""

    source: str
    number: int
    span: Span
    text: str
    kind: Kind
    title: str
    date: str

    @property
    def key(self) -> ChunkKey:
        """What names this chunk in the store."""
        return (self.source, self.number)

    @property
    def context(self) -> str:
        """What embedder and reranker read: the title, which often names what the text calls "it", then the text."""
        return title_context(self.title) + self.text


TITLE_CONTEXT = 160
"""Characters of a title that go before a text as context; longer than most headlines, shorter than a window."""


def title_context(title: str) -> str:
    """What goes before a text to say what it is about, or ""."""
    return f"{title[:TITLE_CONTEXT]}\n" if title else ""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Why a passage stands where it does.

    Positions count from 1; 0 means not among the candidates of that ranking. `cosine` is the embedder's likeness of
    question and passage (for a passage that is no dense candidate that of the last one, which is above its own),
    `logit` the reranker's judgement of the passage alone. Both are comparable between questions.
    """

    dense: int
    lexical: int
    reranked: int
    cosine: float
    logit: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was retrieved, with its score: higher is better, comparable within one result."""

    chunk: Chunk
    score: float
    ranks: Ranks

    @property
    def text(self) -> str:
        """The exact characters `[start:end]` of the document."""
        return self.chunk.text

    @property
    def source(self) -> str:
        """The file, as a POSIX path below the corpus folder."""
        return self.chunk.source

    @property
    def title(self) -> str:
        """The document's title, or ""."""
        return self.chunk.title

    @property
    def date(self) -> str:
        """The document's date in ISO 8601, or ""."""
        return self.chunk.date

    @property
    def kind(self) -> Kind:
        """`body`, or `comment` for a reader's comment."""
        return self.chunk.kind

    @property
    def start(self) -> int:
        """First code point of the passage in the document."""
        return self.chunk.span.start

    @property
    def end(self) -> int:
        """One past the last code point of the passage in the document."""
        return self.chunk.span.end


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence and its place: `text == document.text[start:end]`, always.

    `author` is the line that names the writer of a reader's comment, "" where there is none and for articles. `page`
    is the page's number from 1, 0 for a format without pages.
    """

    text: str
    source: str
    start: int
    end: int
    title: str
    date: str
    kind: Kind
    author: str = ""
    page: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence stands in the articles, word for word, and where.

    `text` is the sentence that was checked, as given. `found` is "exact" when it stands in the document that was named
    (in any, where none was), "elsewhere" when only in other documents. `quotes` are its places in the spelling of the
    articles, by source and position, at most ten; the kind of one is that of the segment it begins in.
    """

    text: str
    found: Literal["exact", "elsewhere", "not found"]
    quotes: tuple[Quote, ...]


Struck: TypeAlias = Literal[
    "", "uncited", "unknown", "markup", "quotation", "number", "name", "negation", "unsupported"
]
"""Why a statement does not stand: it names no sentence, or none that there is; it holds a link or an image; its
sentences lack the words it quotes, or a number, a name or a negation that it has; or they do not say it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that a language model wrote, as it was checked. `cites` are the quotes it rests on, by their numbers
    in the answer ([1] is the first); `struck` is "" when they support it.
    """

    text: str
    cites: tuple[int, ...]
    struck: Struck = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the corpus says to a question.

    `question` is the standalone form that was searched. `text` is Markdown; an answer is made of quotes, each followed
    by its number in `quotes` ([1] is the first), or of a language model's statements with the numbers of theirs.
    `confidence` is between 0 and 1 and comparable between questions. When `answered` is False, `quotes` are the closest
    passages found, not an answer. `passages` are those that were read, best first; `by_date` says that the quotes stand
    from the oldest to the newest. `statements` are what the language model named `model` wrote, in order, the struck
    ones too; quotes that only they name stand behind the others. `note` says what went wrong, what was left
    out, or that the closest sentence says otherwise. `short` are the few words of the first quote that answer, None
    where none are sure.
    """

    question: str
    text: str
    answered: bool
    confidence: float
    quotes: tuple[Quote, ...]
    passages: tuple[Passage, ...] = ()
    by_date: bool = False
    statements: tuple[Statement, ...] = ()
    model: str = ""
    note: str = ""
    short: Quote | None = None


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What one build did. The names are sources; `failed` pairs a source with the reason; `chunks` is the total
    after the build, `seconds` wall time, `embedded` how many texts needed the embedder. `note` says why everything was
    built anew, when it was. `renamed` pairs old and new names, which stand in `removed` and `added` too; `copies` are
    groups of sources with the same bytes, `alike` groups that tell nearly the same, where one is new or changed.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    failed: tuple[tuple[str, str], ...]
    chunks: int
    seconds: float
    embedded: int = 0
    note: str = ""
    renamed: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()
    alike: tuple[tuple[str, ...], ...] = ()

    @property
    def counts(self) -> str:
        """How many articles were added, changed, removed, renamed and left, in words."""
        return counted(self.added, self.changed, self.removed, self.renamed, self.unchanged)


def counted(
    added: Sequence[str],
    changed: Sequence[str],
    removed: Sequence[str],
    renamed: Sequence[tuple[str, str]],
    unchanged: int,
) -> str:
    """What is or will be done to how many articles, in words; one that is renamed counts once."""
    moved = len(renamed)
    touched = f"{len(added) - moved} added, {len(changed)} changed, {len(removed) - moved} removed"
    return f"{touched}{f', {moved} renamed' if moved else ''}, {unchanged} unchanged"


@dataclass(frozen=True, slots=True)
class Database:
    """An index in PostgreSQL, by its address (a URI as libpq takes it); it is shown without its password."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """The address, without what could be secret."""
        parts = urlsplit(self.url)
        user, at, hosts = parts.netloc.rpartition("@")
        return f"{parts.scheme}://{user.partition(':')[0]}{at}{hosts}{parts.path}"


Place: TypeAlias = Path | Database
"""Where an index lives: a folder, or a database."""


def beside(where: Place) -> Path:
    """The folder of what people keep beside an index: its own, or `vectorstore` for one in a database."""
    return Path("vectorstore") if isinstance(where, Database) else where


def place(where: str | Place) -> Place:
    """The database of an address, else the folder of a path."""
    if isinstance(where, str) and where.startswith(("postgresql://", "postgres://")):
        return Database(where)
    return Path(where) if isinstance(where, str) else where


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index was built with. `generation` grows by one with every build that changed something."""

    embedder: str
    dimension: int
    weights: str
    recipe: str
    generation: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in an index that is not as builds left it: a clause such as "its vectors are not what was written".

    What is `derived` can be made again from the texts that are in the index; anything else needs the articles.
    """

    says: str
    derived: bool = False


class Embedder(Protocol):
    """Turns texts into vectors of length one."""

    name: str
    dimension: int
    window: int
    """The most tokens of a text that the model reads, special tokens not counted."""
    weights: str
    """SHA-256 of the weights, hexadecimal."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension); a text's vector does not depend on its neighbours."""

    def embed_question(self, question: str) -> Vectors:
        """Shape (dimension,); the vector of one text, up to rounding, sooner than `embed` gives it."""

    def count(self, text: str) -> int:
        """The tokens of `text` by the model's own tokenizer, special tokens not counted."""


class Reranker(Protocol):
    """Judges how well a text answers a question."""

    name: str

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One logit a text, higher is better; a text's score does not depend on its neighbours."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of one text: where the answer to a question may begin and end.

    `tokens` are spans of the text; `begins` and `ends` are logits of the same number, float32, shape (tokens,). `none`
    is the sum of both for no answer. `answers` is the logit that the text answers at all.
    """

    tokens: tuple[Span, ...]
    begins: npt.NDArray[np.float32]
    ends: npt.NDArray[np.float32]
    none: float
    answers: float


class Reader(Protocol):
    """Finds the few words of a text that answer a question, or that none do."""

    name: str

    def read(self, question: str, texts: Sequence[str]) -> Iterator[Reading]:
        """One reading a text; it does not depend on the text's neighbours. Reading may begin before it is asked for."""


class Snapshot(Protocol):
    """One generation of the index, unchanged for as long as it is held."""

    manifest: Manifest
    size: int
    """How many chunks there are."""

    def sources(self) -> list[str]:
        """All documents, sorted."""

    def document(self, source: str) -> Document:
        """The document with its exact text; StoreError if there is none of that name."""

    def segments(self, source: str) -> tuple[Segment, ...]:
        """The labelled parts of a document, in order."""

    def entries(self) -> Sequence[Entry]:
        """The catalogue: every document with its counts, by source."""

    def dense(
        self, vector: Vectors, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` nearest chunks of `sources` (None: of all) by cosine, best first; `vector` has shape (dimension,)."""

    def lexical(
        self, question: str, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` best chunks of `sources` (None: of all) by BM25, best first."""

    def chunks(self, keys: Sequence[ChunkKey]) -> list[Chunk]:
        """The chunks of these names, in the order asked for."""

    def occurrences(self, word: str) -> int:
        """How many chunks have the word, in any of its grammatical forms."""

    def vocabulary(self) -> Mapping[str, str]:
        """{folded: as written} for every word of the chunks."""

    def names(self, initials: str) -> list[tuple[str, int]]:
        """(name, documents that have it) of the names with these initials, the most frequent first."""


class Writer(Protocol):
    """One build. Nothing of it is seen before it is committed."""

    manifest: Manifest | None

    def digests(self) -> dict[str, str]:
        """{source: digest} of the documents that are indexed."""

    def clear(self) -> None:
        """Forget everything, as in a new index."""

    def shares(self, todo: Mapping[str, str], manifest: Manifest) -> Iterator[Sequence[str]]:
        """Which of the sources in {source: digest} this build is to read, in shares; `manifest` is what it will commit.

        What was put of a share is kept when the next one is asked for. Where several machines build one index, each
        gets other shares, and there is no more when all of them are done.
        """

    def remove(self, source: str) -> None:
        """Forget one document."""

    def put(self, document: Document, segments: Sequence[Segment], chunks: Sequence[Chunk], sketch: bytes) -> None:
        """Add one document, which must not be there; `sketch` is what `qa.copies` compares it by."""

    def missing(self, embedder: Embedder) -> list[tuple[bytes, str]]:
        """(key, text) of every text that still needs a vector, by source and number, no text twice.

        What an interrupted build with the same weights has embedded needs none.
        """

    def add_vectors(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Store the vectors of texts that `missing` named."""

    def sketches(self) -> list[tuple[str, bytes]]:
        """(source, sketch) of all documents, by source."""

    def forget_derived(self) -> None:
        """Forget vectors that are damaged or that no chunk has, and make the full-text index again."""

    def count(self) -> int:
        """How many chunks there are."""

    def commit(self, manifest: Manifest) -> None:
        """Make this build the index, whole."""


class Store(Protocol):
    """Where an index lives."""

    def built(self) -> bool:
        """Whether there is an index, sound or not; StoreError when that cannot be told."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The newest generation; StoreError when there is no usable index."""

    def writer(self) -> AbstractContextManager[Writer]:
        """The one writer; StoreError when another build is running. Leaving without `commit` changes nothing."""

    def check(self) -> list[Fault]:
        """Everything in which the index is not as builds left it; StoreError when there is none, or it is not ours."""

    def set_aside(self) -> str:
        """Move a damaged index away and say where it is; what is sound of its vectors may be kept for the next build.

        StoreError when it is in use or cannot be moved.
        """

    def copy_to(self, path: Path) -> None:
        """Write the newest generation, checked, into a new file that `adopt` takes; OSError when it cannot be."""

    def adopt(self, path: Path) -> Manifest:
        """Make what `copy_to` wrote the index, whole or not at all; StoreError when it is damaged or not ours."""
