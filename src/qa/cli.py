"""The terminal: `qa index | ask | retrieve | verify | chat | eval | doctor | export | import`.

What a person can mend ends with exit code 2.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from qa.settings import Settings
from qa.texts import ENGLISH
from qa.types import (
    Answer,
    BuildReport,
    Database,
    Filters,
    Passage,
    Place,
    Progress,
    QAError,
    Quote,
    StoreError,
    Verdict,
    beside,
    counted,
    place,
)

if TYPE_CHECKING:
    from qa.ingest import Plan

WIDTH = 100
"""Columns of printed text."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 2 when something must be mended first, or 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):  # A terminal that cannot show a character gets its number.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace, Settings], int] = options.command
        return command(options, _settings(options))
    except QAError as error:
        print(error, file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"A package is missing ({error}); run `make install`.", file=sys.stderr)
        return 2
    except BrokenPipeError:  # The reader of a pipe has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\nInterrupted; the index is as it was.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qa", description="Ask a folder of articles; every answer is quoted.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace, Settings], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=run)
        added.add_argument("--store", type=place, help="the folder of the index, or its database")
        return added

    index = command("index", _index, "Bring the index up to date with the folder of articles.")
    index.add_argument("--corpus", type=Path, help="the folder of articles")
    how = index.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only list what would be done")
    how.add_argument("--watch", action="store_true", help="go on, and index what changes, until interrupted")
    ask = command("ask", _ask, "Answer a question with quotes.")
    ask.add_argument("question")
    ask.add_argument("--comments", action="store_true", help="let readers' comments answer too")
    _add_filters(ask)
    retrieve = command("retrieve", _retrieve, "Print the passages nearest to a question.")
    retrieve.add_argument("question")
    retrieve.add_argument("-k", type=int, default=5, help="how many (default: %(default)s)")
    retrieve.add_argument("--comments", action="store_true", help="search readers' comments too")
    _add_filters(retrieve)
    verify = command("verify", _verify, "Say whether a quote stands in the articles, word for word, and where.")
    verify.add_argument("text", help="the quote; exit code 1 says that a sentence of it was not found")
    verify.add_argument("--document", default="", metavar="FILE", help="the article that is said to have it")
    chat = command("chat", _chat, "Serve the chat page.")
    chat.add_argument("--corpus", type=Path, help="the folder of articles that 'rebuild index' reads")
    chat.add_argument("--port", help="the port of the page")
    chat.add_argument("--index", action="store_true", help="bring the index up to date meanwhile")
    evaluate = command("eval", _eval, "Score a file of questions with known answers.")
    evaluate.add_argument("file", type=Path)
    evaluate.add_argument("--floors", type=Path, help="a JSON file of least values; falling under one is exit code 1")
    evaluate.add_argument("--calibrate", action="store_true", help="fit the confidence of this index to the outcome")
    doctor = command("doctor", _doctor, "Say what is installed, whether the index is sound, and what to run if not.")
    doctor.add_argument("--corpus", type=Path, help="the folder of articles")
    doctor.add_argument("--repair", action="store_true", help="mend the index")
    for name, run, text in (
        ("export", _export, "Write the index, articles included, into one file."),
        ("import", _import, "Make the index in a file that was exported the one that is asked."),
    ):
        moved = command(name, run, text)
        moved.add_argument("file", type=Path)
        moved.add_argument("--overwrite", action="store_true", help="replace what is there")
    return parser


def _add_filters(parser: argparse.ArgumentParser) -> None:
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--since", default="", metavar="DATE", help="only articles from this year, month or day on")
    parser.add_argument("--until", default="", metavar="DATE", help="only articles up to this year, month or day")
    parser.add_argument("--outlet", **several, metavar="NAME", help="only articles of this host or folder; repeatable")
    parser.add_argument("--document", **several, metavar="FILE", help="only this article; repeatable")


def _filters(options: argparse.Namespace) -> Filters:
    return Filters(options.since, options.until, tuple(options.outlet), tuple(options.document))


def _settings(options: argparse.Namespace) -> Settings:
    given: dict[str, Any] = {name: getattr(options, name, None) for name in ("corpus", "store", "port")}
    return Settings.load(**given)


# --- commands; what they need is imported when they run, so that a mistake is said at once ---------------------------


def _index(options: argparse.Namespace, settings: Settings) -> int:
    from qa.assistant import plan_index

    if options.dry_run:
        print(_planned(plan_index(settings)))
        return 0
    return _watched(settings) if options.watch else _built(settings)


def _built(settings: Settings) -> int:
    from qa.assistant import build_index
    from qa.documents import scan

    def announce(plan: Plan) -> None:
        if plan.note:  # What takes long is explained before it begins.
            print(plan.note, flush=True)

    with _progress() as show:
        report = build_index(progress=show, settings=settings, announce=announce)
    print(_report(report, settings), flush=True)
    for sources in report.alike:
        print(f"Nearly the same: {_printable('  ≈  '.join(sources))}", flush=True)
    other = scan(settings.corpus)[1]
    if other:
        print(f"Left out, as no reader reads them: {textwrap.shorten(_printable(', '.join(other)), WIDTH)}")
    for _, reason in report.failed:
        print(reason, file=sys.stderr)
    return 2 if report.failed else 0


def _watched(settings: Settings) -> int:
    from threading import Event

    from qa.watch import watch

    def build() -> bool:
        try:
            _built(settings)
        except QAError as error:
            print(error, file=sys.stderr, flush=True)
            return not isinstance(error, StoreError)  # Another build may have ended by the next look.
        return True

    print(f"Following {settings.corpus}; Ctrl+C ends it.", flush=True)
    try:
        watch(settings.corpus, build, Event())
    except KeyboardInterrupt:
        print()
    return 0


def _ask(options: argparse.Namespace, settings: Settings) -> int:
    from qa.assistant import Assistant, checked

    question = checked(options.question)
    answers = Assistant.open(settings=settings).stream(question, (), options.comments, _filters(options))
    first = next(answers)
    if first.question != question:
        print(f"Searched as: {_printable(first.question)}\n")
    print(_answer(first), flush=True)
    try:
        _print_prose(first, answers)
    except KeyboardInterrupt:  # The quotes stand.
        print()
    return 0


def _print_prose(before: Answer, answers: Iterator[Answer]) -> None:
    """What a language model writes, statement by statement, then the quotes that it adds."""
    quoted = len(before.quotes)
    for answer in answers:
        if not before.statements and answer.statements:
            print("\n" + _wrapped(ENGLISH["written"].format(model=answer.model)))
        for said in answer.statements[len(before.statements) :]:
            why = f"  (struck out: {ENGLISH[f'struck_{said.struck}']})" if said.struck else ""
            print("\n" + _wrapped(f"{said.text} {''.join(f'[{n}]' for n in said.cites)}{why}", "  "), flush=True)
        before = answer
    for number, quote in enumerate(before.quotes[quoted:], quoted + 1):
        print("\n" + _wrapped(f"“{quote.text}” [{number}]") + f"\n\n{_place(number, quote)}")
    if before.note:
        print("\n" + _wrapped(before.note))


def _retrieve(options: argparse.Namespace, settings: Settings) -> int:
    from qa.assistant import Assistant

    filters = _filters(options)
    passages = Assistant.open(settings=settings).retrieve(options.question, options.k, options.comments, filters)
    for number, passage in enumerate(passages, 1):
        place = f"{_printable(passage.source)}, characters {passage.start}-{passage.end}"
        print(f"{number}. {_titled(passage.title, passage.date)}\n   {place}\n   {_why(passage)}")
        print(_wrapped(passage.text, "   ") + "\n")
    return 0


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from qa import quoting
    from qa.store import open_store

    with open_store(settings.store).snapshot() as snapshot:  # No weights are needed for it.
        verdicts = quoting.verify(snapshot, options.text, options.document)
    print("\n\n".join(map(_verdict, verdicts)))
    return 1 if any(verdict.found == "not found" for verdict in verdicts) else 0


def _chat(options: argparse.Namespace, settings: Settings) -> int:
    if options.index:
        _index_beside(options, settings)
    from qa.web import serve

    serve(settings)
    return 0


def _index_beside(options: argparse.Namespace, settings: Settings) -> None:
    """Build in a process of its own, while the page starts and answers from the index that there is; a first build is
    waited for. What it says stands in the terminal.
    """
    from qa.store import open_store

    given = [f"--{name}={value.url if isinstance(value, Database) else value}" for name, value in _places(options)]
    building = subprocess.Popen([sys.executable, "-m", "qa.cli", "index", *given])  # noqa: S603 - this program
    if not open_store(settings.store).built():
        building.wait()


def _places(options: argparse.Namespace) -> Iterator[tuple[str, Place]]:
    for name in ("corpus", "store"):
        if value := getattr(options, name):
            yield name, value


def _eval(options: argparse.Namespace, settings: Settings) -> int:
    from qa import evaluate
    from qa.assistant import Assistant
    from qa.confidence import write_calibration

    cases = evaluate.read_cases(options.file)
    floors = evaluate.read_floors(options.floors) if options.floors else {}
    assistant = Assistant.open(settings=settings)
    results = evaluate.run(cases, assistant.with_model(None).ask)  # Quotes are what is scored.
    for result in results:
        if not result.right:
            print(f"  wrong: {result.case.question}  →  {_wrapped(result.answer.text, '    ').strip()}")
    measured = evaluate.measures(results)
    for name, share in measured.items():
        low, high = share.interval
        print(f"{name:<22} {share.value:.3f}  ({share.hits} of {share.total}; 95% between {low:.3f} and {high:.3f})")
    kept = beside(settings.store) / f"eval-{options.file.stem}.json"
    change = evaluate.compare(results, evaluate.read_outcomes(kept))
    for name in change.mended:
        print(f"  right since the last run: {name}")
    for name in change.broken:
        print(f"  wrong since the last run: {name}")
    evaluate.write_outcomes(kept, results)
    if options.calibrate:
        write_calibration(beside(settings.store), evaluate.calibrated(results, assistant.calibration))
        print(f"The confidence of {settings.store} now fits these questions.")
    fallen = evaluate.below(measured, floors)
    for sentence in fallen:
        print(sentence, file=sys.stderr)
    return 1 if fallen else 0


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    from qa.doctor import examine, repair

    if options.repair:
        with _progress() as show:
            for sentence in repair(settings, show):
                print(_printable(sentence), flush=True)
    findings = examine(settings)
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'MEND'}  {finding.about:<11} {finding.says}")
    return 0 if all(finding.ok for finding in findings) else 2


def _export(options: argparse.Namespace, settings: Settings) -> int:
    from qa import backup

    size = backup.save(settings.store, options.file, options.overwrite)
    print(f"{settings.store} was written into {options.file} ({size / 1e6:,.1f} MB); `qa import` reads it.")
    return 0


def _import(options: argparse.Namespace, settings: Settings) -> int:
    from qa import backup

    manifest = backup.load(options.file, settings.store, options.overwrite)
    print(f"{options.file} is now the index in {settings.store}, built with {manifest.embedder}.")
    return 0


# --- what the terminal shows -----------------------------------------------------------------------------------------


def _report(report: BuildReport, settings: Settings) -> str:
    return (
        f"{report.counts}; {report.embedded} passages embedded in {report.seconds:.1f} s; "
        f"{report.chunks} passages in {settings.store}."
    )


def _planned(plan: Plan) -> str:
    """What a build would do, a line for every article that it would touch."""
    old, new = ({pair[side] for pair in plan.renamed} for side in (0, 1))
    lines = [f"+ {source}" for source in plan.added if source not in new]
    lines += [f"~ {source}" for source in plan.changed]
    lines += [f"- {source}" for source in plan.removed if source not in old]
    lines += [f"> {before}  ->  {after}" for before, after in plan.renamed]
    lines += [f"= {'  =  '.join(sources)}" for sources in plan.copies]
    lines += [f"! {reason}" for _, reason in plan.failed]
    counts = counted(plan.added, plan.changed, plan.removed, plan.renamed, plan.unchanged)
    return "\n".join([*filter(None, [plan.note]), *map(_printable, lines), f"{counts}; nothing was done."])


def _answer(answer: Answer) -> str:
    quotes = [
        f"{quote.date + ': ' if answer.by_date else ''}“{quote.text}” [{number}]"
        for number, quote in enumerate(answer.quotes, 1)
    ]
    closest = "The closest passages:" if answer.quotes else "Nothing in the index comes near."
    head = [] if answer.answered else [" ".join(filter(None, [answer.text, answer.note, closest]))]
    if answer.short:
        head = [f"{answer.short.text} [1]"]
    body = [_wrapped(line) for line in (*head, *quotes)]
    places = [_place(number, quote) for number, quote in enumerate(answer.quotes, 1)]
    return "\n\n".join([*body, "\n".join(places)])


def _verdict(verdict: Verdict) -> str:
    places = [_place(number, quote) for number, quote in enumerate(verdict.quotes, 1)]
    return "\n".join([_wrapped(f"{verdict.found}: {verdict.text}"), *places])


def _place(number: int, quote: Quote) -> str:
    titled = _titled(quote.title, quote.date)
    page = f"page {quote.page}, " if quote.page else ""
    return f"[{number}] {titled}\n    {_printable(quote.source)}, {page}characters {quote.start}-{quote.end}" + (
        f" (a reader's comment{_printable(': ' + quote.author) if quote.author else ''})"
        if quote.kind == "comment"
        else ""
    )


def _why(passage: Passage) -> str:
    """Where a passage stood in each ranking."""
    ranks = passage.ranks
    dense, lexical = (str(rank) if rank else "–" for rank in (ranks.dense, ranks.lexical))
    return f"by meaning {dense}, by words {lexical}, reranked {ranks.reranked} (logit {ranks.logit:.1f})"


def _titled(title: str, date: str) -> str:
    return _printable(", ".join(part for part in (title or "Untitled", date) if part))


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(_printable(text), WIDTH, initial_indent=indent, subsequent_indent=indent)


def _printable(text: str) -> str:
    """On one line, and without the characters that steer a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\ufffd", " ".join(text.split()))


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for each stage, on a terminal only."""
    bars: dict[str, tqdm[Any]] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = tqdm(total=total, desc=stage, unit="", leave=False, disable=None)
        bars[stage].update(done - bars[stage].n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


if __name__ == "__main__":
    sys.exit(main())
