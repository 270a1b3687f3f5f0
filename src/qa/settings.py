"""`Settings`: read once, at the edges, from `qa.toml` and the environment; no other module reads the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qa.types import Database, Place, QAError, place


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen. Every field may stand in `qa.toml` under its name, or in the environment as `QA_` and its
    name in capitals; the environment wins.
    """

    corpus: Path = Path("corpus")
    """The folder of articles."""
    store: Place = Path("vectorstore")
    """The folder of the index, or the database that holds it: postgresql://…"""
    embedder: str = ""
    """A folder or a hub name of sentence-transformers; "" takes the installed package."""
    reranker: str = ""
    """A folder (model.onnx, tokenizer.json) or a hub name of a cross-encoder; "" takes the installed package,
    "none" does without."""
    reader: str = ""
    """A folder or a hub name of extractive question answering; "" takes our own, "none" does without short answers."""
    cache: Path = Path("~/.cache/verbatim")
    """Where unpacked token tables are kept."""
    port: int = 7860
    """The port that the page is served on."""
    host: str = "127.0.0.1"
    """The address that the page is served on; any but this machine's own needs `auth`."""
    auth: str = field(default="", repr=False)
    """"name:password", asked of everybody who opens the page or calls it; "" asks nobody."""
    llm_url: str = ""
    """Where an OpenAI-compatible server listens, such as http://127.0.0.1:8080/v1; "" does without a language model."""
    llm_model: str = ""
    """The name by which that server knows the language model."""
    llm_key: str = field(default="", repr=False)
    """The key that it asks for; "" sends none."""
    llm_context: int = 4096
    """The tokens that the language model reads and writes together; most servers start with as many."""

    @property
    def local(self) -> bool:
        """Whether the page is served to this machine alone."""
        return self.host in {"127.0.0.1", "::1", "localhost"}

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ, file: str | Path = "qa.toml", **given: Any) -> Settings:
        """Read the settings; what is `given` and not None wins. QAError when a name is unknown or a value is not of its
        type.
        """
        path = Path(file)
        values = _read_toml(path)
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise QAError(f"{path} has a setting '{name}' that does not exist; use one of: {_names(known)}.")
        for name in known:
            if value := environ.get(f"QA_{name.upper()}"):
                values[name] = value
        values |= {name: value for name, value in given.items() if value is not None}
        return cls().set_to(**values)

    def set_to(self, **values: Any) -> Settings:
        """These settings with some set to other values; QAError when a value is not of its type."""
        settings = replace(self, **{name: _typed(name, value) for name, value in values.items()})
        if settings.llm_url and not settings.llm_model:
            raise QAError("QA_LLM_URL names a server and no model on it; set QA_LLM_MODEL too, or unset QA_LLM_URL.")
        return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise QAError(f"{path} cannot be read ({error}); correct that line or remove the file.") from error


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _typed(name: str, value: Any) -> Any:
    if name == "store" and isinstance(found := place(value), Database):
        return found
    if name in {"corpus", "store", "cache"}:
        return _expanded(name, str(value))
    if name == "port":
        if not re.fullmatch("[0-9]{1,5}", str(value)) or not 0 < int(value) < 65536:
            raise QAError(f"The port '{value}' is not a number from 1 to 65535; set QA_PORT to one that is free.")
        return int(value)
    if name == "llm_context":
        if not re.fullmatch("[0-9]{1,8}", str(value)) or not int(value):
            raise QAError(f"QA_LLM_CONTEXT is '{value}', which is no number of tokens; set it to one, such as 4096.")
        return int(value)
    if name == "auth" and str(value) and not re.fullmatch("[^:]+:.{8,}", str(value)):
        raise QAError("QA_AUTH is not a name, a colon and a password of 8 characters or more; set it so, or unset it.")
    if name == "llm_url" and str(value):
        return _address(str(value))
    if name == "llm_key" and not re.fullmatch("[!-~]*", str(value)):
        raise QAError("QA_LLM_KEY holds a character that no key has, such as a space; copy it anew, or unset it.")
    return str(value)


def _address(url: str) -> str:
    """The address up to where "/chat/completions" follows; one that could hold a password is not taken, as addresses
    are shown.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not re.fullmatch("[!-~]+", url) or set(url) & set("@?#"):
        raise QAError(
            "QA_LLM_URL is not an http or https address without password or query, such as http://127.0.0.1:8080/v1; "
            "set it so, or unset it."
        )
    return url.rstrip("/").removesuffix("/chat/completions")


def _expanded(name: str, path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise QAError(f"The folder '{path}' names no known user; set QA_{name.upper()} to another.") from error
