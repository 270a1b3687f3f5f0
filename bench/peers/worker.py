"""One peer, as its own documentation begins, in its own environment: builds, adds an article, answers.

    python worker.py PEER build CORPUS STORE WEIGHTS
    python worker.py PEER serve CORPUS STORE WEIGHTS < questions, one a line

Each prints lines of JSON. `serve` answers the first question, says so, answers the others, and adds an article.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

TOP = 10
"""Passages that are asked for."""

CHARACTERS, OVERLAP = 1000, 200
"""Of a chunk, as LangChain's tutorial on retrieval has them; where a peer has no splitter of its own, the same."""


class Peer(Protocol):
    """What is measured of each."""

    def build(self, articles: Sequence[Path]) -> int:
        """Index the articles and keep the index; returns how many chunks there are."""

    def open(self) -> None:
        """Load the index that was kept."""

    def find(self, question: str) -> list[str]:
        """The files of the passages found, best first."""

    def add(self, article: Path) -> None:
        """Add one article and keep the index."""


class LangChain:
    """FAISS with recursive splitting, as in the tutorial "Build a semantic search engine"."""

    def __init__(self, store: str, weights: str) -> None:
        from langchain_huggingface import HuggingFaceEmbeddings

        self.store, self.embeddings = store, HuggingFaceEmbeddings(model_name=weights)

    def _split(self, articles: Iterable[Path]) -> Any:
        from langchain_core.documents import Document
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=OVERLAP)
        return splitter.split_documents(
            [Document(page_content=path.read_text("utf-8"), metadata={"source": path.name}) for path in articles]
        )

    def build(self, articles: Sequence[Path]) -> int:
        from langchain_community.vectorstores import FAISS

        self.index = FAISS.from_documents(self._split(articles), self.embeddings)
        self.index.save_local(self.store)
        return int(self.index.index.ntotal)

    def open(self) -> None:
        from langchain_community.vectorstores import FAISS

        # Its texts are kept in a pickle, which it reads only when told to trust it.
        self.index = FAISS.load_local(self.store, self.embeddings, allow_dangerous_deserialization=True)

    def find(self, question: str) -> list[str]:
        return [found.metadata["source"] for found in self.index.similarity_search(question, k=TOP)]

    def add(self, article: Path) -> None:
        self.index.add_documents(self._split([article]))
        self.index.save_local(self.store)


class LlamaIndex:
    """A vector store index over a folder, as in the starter tutorial."""

    def __init__(self, store: str, weights: str) -> None:
        from llama_index.core import Settings
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        self.store = store
        Settings.embed_model = HuggingFaceEmbedding(model_name=weights)
        Settings.llm = None

    def _read(self, articles: Sequence[Path]) -> Any:
        from llama_index.core import SimpleDirectoryReader

        return SimpleDirectoryReader(input_files=list(articles)).load_data()

    def build(self, articles: Sequence[Path]) -> int:
        from llama_index.core import VectorStoreIndex

        self.index = VectorStoreIndex.from_documents(self._read(articles))
        self.index.storage_context.persist(self.store)
        return len(self.index.docstore.docs)

    def open(self) -> None:
        from llama_index.core import StorageContext, load_index_from_storage

        self.index = load_index_from_storage(StorageContext.from_defaults(persist_dir=self.store))
        self.retriever = self.index.as_retriever(similarity_top_k=TOP)

    def find(self, question: str) -> list[str]:
        return [found.node.metadata["file_name"] for found in self.retriever.retrieve(question)]

    def add(self, article: Path) -> None:
        for document in self._read([article]):
            self.index.insert(document)
        self.index.storage_context.persist(self.store)


def pieces(article: Path) -> list[str]:
    """A text in chunks, for peers that have no splitter."""
    text = article.read_text("utf-8")
    return [text[start : start + CHARACTERS] for start in range(0, len(text), CHARACTERS - OVERLAP)]


class Txtai:
    """An embeddings database with content, as in its quick start."""

    def __init__(self, store: str, weights: str) -> None:
        from txtai import Embeddings

        self.store, self.embeddings = store, Embeddings(path=weights, content=True)

    def _rows(self, articles: Iterable[Path]) -> Any:
        return [(f"{path.name}#{n}", piece, None) for path in articles for n, piece in enumerate(pieces(path))]

    def build(self, articles: Sequence[Path]) -> int:
        self.embeddings.index(self._rows(articles))
        self.embeddings.save(self.store)
        return int(self.embeddings.count())

    def open(self) -> None:
        self.embeddings.load(self.store)

    def find(self, question: str) -> list[str]:
        return [found["id"].partition("#")[0] for found in self.embeddings.search(question, TOP)]

    def add(self, article: Path) -> None:
        self.embeddings.upsert(self._rows([article]))
        self.embeddings.save(self.store)


class Chroma:
    """A persistent collection. Its default embedding, MiniLM too, is a download; the weights at hand stand for it."""

    def __init__(self, store: str, weights: str) -> None:
        import chromadb
        from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction

        client = chromadb.PersistentClient(store, settings=chromadb.Settings(anonymized_telemetry=False))
        embed: Any = SentenceTransformerEmbeddingFunction(model_name=weights)
        self.collection = client.get_or_create_collection("articles", embedding_function=embed)

    def _put(self, articles: Iterable[Path]) -> None:
        for path in articles:
            found = pieces(path)
            self.collection.add(
                documents=found,
                ids=[f"{path.name}#{n}" for n in range(len(found))],
                metadatas=[{"source": path.name}] * len(found),
            )

    def build(self, articles: Sequence[Path]) -> int:
        self._put(articles)
        return int(self.collection.count())

    def open(self) -> None:
        pass

    def find(self, question: str) -> list[str]:
        rows: Any = self.collection.query(query_texts=[question], n_results=TOP)["metadatas"]
        return [row["source"] for row in rows[0]]

    def add(self, article: Path) -> None:
        self._put([article])


class Verbatim:
    """What this project does: passages alone."""

    def __init__(self, store: str, weights: str) -> None:
        self.store = store

    def build(self, articles: Sequence[Path]) -> int:
        import qa

        return qa.build_index(articles[0].parent, self.store).chunks

    def open(self) -> None:
        from qa import Assistant

        self.assistant = Assistant.open(self.store)

    def find(self, question: str) -> list[str]:
        return [passage.source for passage in self.assistant.retrieve(question, TOP)]

    def add(self, article: Path) -> None:
        import qa

        qa.build_index(article.parent, self.store)


class VerbatimAsk(Verbatim):
    """What this project does: the whole answer."""

    def find(self, question: str) -> list[str]:
        return [quote.source for quote in self.assistant.ask(question).quotes]


PEERS: dict[str, type[Any]] = {
    "langchain": LangChain,
    "llama-index": LlamaIndex,
    "txtai": Txtai,
    "chroma": Chroma,
    "verbatim": Verbatim,
    "verbatim-ask": VerbatimAsk,
}

NEW = "The wobblequist of Snarkhaven was seen at noon by forty people who had never heard of a wobblequist before.\n"


def say(**values: Any) -> None:
    """One line for whoever measures."""
    print(json.dumps(values), flush=True)


def resident() -> float:
    """Megabytes of this process that are in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


def main() -> None:
    """Do one of the two."""
    name, what, corpus, store, weights = sys.argv[1:]
    peer: Peer = PEERS[name](store, weights)
    if what == "build":
        began = time.perf_counter()
        chunks = peer.build(sorted(Path(corpus).iterdir()))
        say(chunks=chunks, build=time.perf_counter() - began)
        return
    questions = sys.stdin.read().splitlines()
    peer.open()
    peer.find(questions[0])
    say(first=True)
    for question in questions:
        began = time.perf_counter()
        found = peer.find(question)
        say(found=found, seconds=time.perf_counter() - began)
    memory = resident()
    (new := Path(corpus, "zz-new.txt")).write_text(NEW, "utf-8")
    began = time.perf_counter()
    peer.add(new)
    found = peer.find("What is the wobblequist of Snarkhaven?")
    say(add=time.perf_counter() - began, added=new.name in found, memory=memory)


if __name__ == "__main__":
    main()
