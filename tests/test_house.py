"""One direction of flow: a module imports only what stands above it, and each door to the outside is used by one."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import qa
from tests.conftest import ROOT

ORDER = [
    "types", "settings", "turns", "readers.plain", "readers.jsonl", "readers.html", "readers.pdf", "readers.docx",
    "readers", "readers.child", "readers.isolate", "documents", "segments", "chunks", "quoting", "names", "copies",
    "models", "generate", "opposites",
    "store.content", "store.unfinished", "store.check", "store.dense", "store.snapshot", "store.writer", "store.sqlite",
    "store.postgres.schema", "store.postgres.connect", "store.postgres.words", "store.postgres.snapshot",
    "store.postgres.writer", "store.postgres.check", "store.postgres", "store", "ingest",
    "spanish", "wording", "aims", "conversation", "search", "reading", "confidence", "support", "contrasts",
    "rewriting", "answer", "prose", "assistant", "evaluate", "backup", "watch",
    "doctor", "library", "builds", "transcript", "suggest", "texts", "markup", "views",
    "guard", "api", "web", "cli", "",
]  # fmt: skip
"""The modules of the package from the top of the house to its face; "" is the package itself."""

PACKAGE = ROOT / "src" / "qa"


@cache
def modules() -> dict[str, Path]:
    names = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix("__init__").rstrip("."): path for path, name in names.items()}


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports, at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively; the order of the house could not be read"
            base = node.module or ""
            names = {f"{base}.{alias.name}" for alias in node.names}
            inner = {name for name in names if name.removeprefix("qa.") in modules()}
            found |= inner | ({base} if inner != names else set())
    return frozenset(found)


def own(name: str) -> set[str]:
    imports = imported(modules()[name])
    inner = {module.removeprefix("qa.") for module in imports if module.startswith("qa.")}
    if "qa" in imports and not inner:
        inner.add("")
    return inner


def test_every_module_has_its_place_in_the_order() -> None:
    assert sorted(modules()) == sorted(ORDER)


def test_a_module_imports_only_from_modules_above_it() -> None:
    for position, name in enumerate(ORDER):
        assert own(name) <= set(ORDER[:position]), f"{name or 'qa'} imports from below"


def test_each_door_to_the_outside_is_used_by_one_module() -> None:
    doors = {
        "gradio": {"web"},
        "torch": {"models"},
        "onnxruntime": {"models"},
        "sentence_transformers": {"models"},
        "tiktoken": {"models"},
        "openai": {"generate"},
        "faiss": {"store.dense"},
        "sqlite3": {"store.content", "store.check", "store.snapshot", "store.writer", "store.sqlite"}
        | {"store.postgres.words"},  # Words are cut there as SQLite's full-text index cuts them.
        "psycopg": {"store.postgres.schema", "store.postgres.connect", "store.postgres.writer"},
        "psycopg_pool": {"store.postgres.connect"},
        "sentencex": {"chunks"},
        "trafilatura": {"readers.html"},
        "pypdfium2": {"readers.pdf"},
        "docx": {"readers.docx"},
        "rapidfuzz": {"wording"},
        "sklearn": {"evaluate"},
        "pydantic": {"transcript", "api"},
        "starlette": {"guard", "api", "web"},
    }
    for door, keepers in doors.items():
        users = {name for name, path in modules().items() if any(m.split(".")[0] == door for m in imported(path))}
        assert users == keepers, door


def test_only_the_settings_read_the_environment() -> None:
    # models.py sets and restores variables that libraries read for themselves; nothing else touches the environment.
    users = {name for name, path in modules().items() if "environ" in path.read_text("utf-8")}
    assert users == {"settings", "models"}


def test_nothing_runs_code_that_comes_with_data() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not imported(path) & {"pickle", "marshal", "shelve", "dill", "joblib"}, path
        assert "trust_remote_code" not in path.read_text("utf-8"), path


def test_the_face_is_what_is_documented() -> None:
    assert sorted(qa.__all__) == qa.__all__
    assert {"build_index", "retrieve", "ask", "verify_quote", "Assistant"} <= set(qa.__all__)
    assert all(getattr(qa, name).__doc__ for name in qa.__all__)
