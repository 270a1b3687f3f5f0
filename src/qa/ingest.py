"""The write side: compare the corpus with the store, then read, segment, chunk, embed and commit what changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qa import chunks, copies, documents, names, segments
from qa.chunks import Count
from qa.types import (
    BuildReport,
    CorpusError,
    Document,
    Embedder,
    Manifest,
    Progress,
    Segment,
    Store,
    StoreError,
    Writer,
)

EMBED_BATCH = 32
"""Texts between two signs of progress, where a build can be cancelled: about a second of two cores.

In the order of the corpus, the few texts of one length in a batch are filled up to whole forward passes: 1,536 chunks
of news took 37.4 a second with 64, 40.4 with 128 and 42.1 with 256, which needs 6.6 s a batch. With the longest first
(see `_embed_missing`) 16, 32 and 64 take the same time, within 1.5%, for 8% fewer filled tokens than 256 has without.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build will do: sources to add, to read again and to forget, and how many stay as they are.

    `renamed` pairs the old with the new name of files whose bytes stay the same; both stand among `removed` and `added`
    too. `copies` are groups of sources that have the same bytes. `failed` pairs what cannot be opened with the reason;
    `note` says why everything is read or embedded again, when it is.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    renamed: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    note: str = ""


def build(
    corpus: Path,
    store: Store,
    embedder: Embedder,
    tokens: Count,
    progress: Progress | None = None,
    announce: Callable[[Plan], None] | None = None,
) -> BuildReport:
    """Bring the index up to date with the corpus, in one step that is seen whole or not at all.

    `announce` is told the plan before anything is read or embedded. Raises CorpusError when there is no corpus folder
    or nothing readable in it, StoreError when another build runs.
    """
    began = time.perf_counter()
    say = progress or (lambda stage, done, total: None)
    digests, unreadable = _digests(corpus)
    with store.writer() as writer:
        before = writer.manifest
        plan = _planned(digests, writer.digests(), _note(before, embedder.name, embedder.weights), unreadable)
        if announce:
            announce(plan)
        if before and before.weights != embedder.weights:
            writer.clear()
        manifest = _manifest(embedder, before.generation + 1 if before else 1)
        todo = {source: digests[source] for source in sorted((*plan.added, *plan.changed))}
        for source in (*plan.removed, *plan.changed):
            writer.remove(source)
        failed, embedded = dict(unreadable), 0
        for share in writer.shares(todo, manifest) if before is None or todo or plan.removed else ():
            failed |= _put_documents(corpus, writer, share, embedder, tokens, say)
            embedded += _embed_missing(writer, embedder, say)
        touched = todo.keys() - failed.keys()
        if before is None or touched or plan.changed or plan.removed:
            writer.commit(manifest)
        total, sketches = writer.count(), writer.sketches() if touched else []
    return BuildReport(
        added=tuple(source for source in plan.added if source not in failed),
        changed=tuple(source for source in plan.changed if source not in failed),
        removed=plan.removed,
        unchanged=plan.unchanged,
        failed=tuple(sorted(failed.items())),
        chunks=total,
        seconds=time.perf_counter() - began,
        embedded=embedded,
        note=plan.note,
        renamed=plan.renamed,
        copies=plan.copies,
        alike=tuple(group for group in copies.alike(sketches) if not touched.isdisjoint(group)),
    )


def mend(store: Store, embedder: Embedder, progress: Progress | None = None) -> int:
    """Make again what an index derives from its texts; returns how many texts had to be embedded again.

    StoreError when another embedder built it, when its texts are damaged, or when another build runs.
    """
    with store.writer() as writer:
        before = writer.manifest
        if before is None or before.weights != embedder.weights:
            built = f"was built with {before.embedder}" if before else "is of another version"
            raise StoreError(f"The index {built}; run `qa index` to build it anew.")
        writer.forget_derived()
        embedded = _embed_missing(writer, embedder, progress or (lambda stage, done, total: None))
        writer.commit(replace(before, generation=before.generation + 1))
    return embedded


def plan(corpus: Path, store: Store, embedder: str) -> Plan:
    """What a build with the embedder of this name would do; nothing is changed.

    CorpusError when there is no corpus folder or nothing readable in it, StoreError when the index is damaged.
    """
    digests, unreadable = _digests(corpus)
    manifest, known = None, {}
    if store.built():
        with store.snapshot() as snapshot:
            manifest, known = snapshot.manifest, {entry.source: entry.digest for entry in snapshot.entries()}
    note = _note(manifest, embedder, manifest.weights if manifest and manifest.embedder == embedder else "")
    return _planned(digests, known, note, unreadable)


def _planned(found: Mapping[str, str], known: Mapping[str, str], note: str, failed: Mapping[str, str]) -> Plan:
    """The plan; with a note everything that stays is read again."""
    same = compare(found, known)
    again = tuple(sorted(found.keys() & known.keys())) if note else same.changed
    return replace(
        same,
        changed=again,
        unchanged=0 if note else same.unchanged,
        failed=tuple(sorted(failed.items())),
        note=note,
    )


def articles(corpus: Path) -> list[str]:
    """The files that can be read; CorpusError when there is no folder or none in it."""
    readable, _ = documents.scan(corpus)
    if not readable:
        raise CorpusError(
            f"The folder {corpus} has no article ({documents.FORMATS}); put some there and run `qa index`."
        )
    return readable


def compare(found: Mapping[str, str], known: Mapping[str, str]) -> Plan:
    """What leads from the known {source: digest} to the found one; a file is the same when its bytes are."""
    added = sorted(found.keys() - known.keys())
    removed = sorted(known.keys() - found.keys())
    return Plan(
        added=tuple(added),
        changed=tuple(sorted(source for source in found.keys() & known.keys() if found[source] != known[source])),
        removed=tuple(removed),
        unchanged=sum(known.get(source) == digest for source, digest in found.items()),
        renamed=tuple(_renamed([(s, known[s]) for s in removed], [(s, found[s]) for s in added])),
        copies=tuple(_copies(found)),
    )


def _renamed(removed: Iterable[tuple[str, str]], added: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each removed file with an added one of the same bytes, in the order of their names, no file twice."""
    new: dict[str, list[str]] = {}
    for source, digest in added:
        new.setdefault(digest, []).append(source)
    for source, digest in removed:
        if new.get(digest):
            yield source, new[digest].pop(0)


def _copies(found: Mapping[str, str]) -> list[tuple[str, ...]]:
    same: dict[str, list[str]] = {}
    for source, digest in sorted(found.items()):
        same.setdefault(digest, []).append(source)
    return [tuple(sources) for sources in same.values() if len(sources) > 1]


def recipe() -> str:
    """Names everything besides weights that decides what an index holds."""
    parts = (documents.VERSION, segments.VERSION, chunks.VERSION, chunks.CHUNK_TOKENS, names.VERSION, copies.VERSION)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _manifest(embedder: Embedder, generation: int) -> Manifest:
    return Manifest(embedder.name, embedder.dimension, embedder.weights, recipe(), generation)


def _digests(corpus: Path) -> tuple[dict[str, str], dict[str, str]]:
    """{source: digest} of the files that can be opened, {source: reason} of those that cannot."""
    digests: dict[str, str] = {}
    failed: dict[str, str] = {}
    for file in articles(corpus):
        try:
            digests |= documents.digests(corpus, file)
        except CorpusError as error:
            failed[file] = str(error)
    return digests, failed


def _note(manifest: Manifest | None, embedder: str, weights: str) -> str:
    """Why an index that was built another way is built anew, or "" when it was not."""
    if manifest and manifest.weights != weights:
        return f"The index was built with {manifest.embedder}; every article is embedded again with {embedder}."
    if manifest and manifest.recipe != recipe():
        return "The index was built by another version; every article is read again."
    return ""


def _put_documents(
    corpus: Path, writer: Writer, todo: Sequence[str], embedder: Embedder, tokens: Count, say: Progress
) -> dict[str, str]:
    """Read what is new; returns {source: reason} of what could not be read."""
    failed: dict[str, str] = {}
    for done, source in enumerate(todo):
        say("reading", done, len(todo))
        try:
            document, parts = read_labelled(corpus, source)
        except CorpusError as error:
            failed[source] = str(error)
            continue
        cut = chunks.split(document, parts, tokens, embedder.count, embedder.window)
        writer.put(document, parts, cut, copies.sketch(_body(document, parts)))
    say("reading", len(todo), len(todo))
    return failed


def _body(document: Document, parts: Sequence[Segment]) -> str:
    return "\n".join(part.span.of(document.text) for part in parts if part.kind == "body")


def read_labelled(corpus: Path, source: str) -> tuple[Document, tuple[Segment, ...]]:
    """A file with its segments, and with the headline as title where the file states none."""
    document, told = documents.read(corpus, source)
    parts = told or segments.label(document)
    return replace(document, title=segments.title_of(document, parts)), parts


def _embed_missing(writer: Writer, embedder: Embedder, say: Progress) -> int:
    # The longest first: texts of one length come together, and the time that is left is not promised too short.
    todo = sorted(writer.missing(embedder), key=lambda row: embedder.count(row[1]), reverse=True)
    for done in range(0, len(todo), EMBED_BATCH):
        say("embedding", done, len(todo))
        batch = todo[done : done + EMBED_BATCH]
        writer.add_vectors([key for key, _ in batch], embedder.embed([text for _, text in batch]))
    say("embedding", len(todo), len(todo))
    return len(todo)
