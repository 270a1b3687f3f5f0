"""What the page does, without the page: each function takes what a person did and gives back what is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import bidirectional

from qa import library
from qa.assistant import Assistant, checked, language_model
from qa.evaluate import FEEDBACK, Case, append_case
from qa.generate import never, probe
from qa.library import Item
from qa.markup import answer_html, article_html, hint, problem, question_html, sentence
from qa.prose import LanguageModel
from qa.settings import Settings
from qa.suggest import next_questions
from qa.texts import Words
from qa.transcript import Turn, describe, from_plain, history, to_html, to_markdown, turn, unpaired
from qa.types import CorpusError, Entry, Filters, QAError, Span

EXAMPLES = {
    "How many grenade launchers did the army seize?": "2024-01-26-army-weapons-with-cartels.md",
    "Who rejected the offer of US troops?": "2025-05-04-no-us-troops.md",
    "Which helicopter may be assembled in Mexico?": "2018-10-31-helicopter-assembly.md",
    "Why does Mexico stay neutral over the war in Ukraine?": "2022-03-30-neutrality.md",
}
"""Questions about the articles that come with the project, each with the one that answers."""

LOOKED_AT = 50
"""Passages in which the words of a thumbs-down are looked for; they are copied from one, so it ranks high."""

AROUND = 120
"""Characters before and after a quote that are shown with it."""

Message = dict[str, Any]


# --- asking -----------------------------------------------------------------------------------------------------------


def examples(assistant: Assistant) -> list[str]:
    """What to ask first: our questions where our articles are indexed, else the newest titles by file name."""
    entries = assistant.entries()
    sources = {entry.source for entry in entries}
    ours = [question for question, source in EXAMPLES.items() if source in sources]
    return ours or [entry.title for entry in entries[-len(EXAMPLES) :] if entry.title]


def choice(entry: Entry) -> str:
    """An article as a list of choices names it: plain text, so its title and its file are kept apart by signs."""
    return f"{_alone(entry.title or entry.source)} · {_alone(entry.source)}"


def _alone(text: str) -> str:
    line = " ".join(text.split())
    if not any(bidirectional(sign) in _TURNING for sign in line):
        return line
    loose = unpaired(line)
    return f"\u2068{''.join(sign for n, sign in enumerate(line) if n not in loose)}\u2069"


_TURNING = {"R", "AL", "AN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Kinds of signs that are written from right to left, or make others be. (UAX #9, table 4)"""


def answered(
    assistant: Assistant,
    typed: str,
    turns: Sequence[Turn],
    comments: bool,
    filters: Filters,
    alone: bool = False,
    stopped: Callable[[], bool] = never,
) -> Iterator[Turn]:
    """What becomes of a question in a conversation: the turn with the quotes alone, then, where a language model is
    set, with each of its statements, until it is `stopped`. QAError when it cannot be asked.

    A question that is asked `alone` stands for itself, whatever was said before.
    """
    asked = checked(typed)
    suggested: tuple[str, ...] | None = None
    digests: dict[str, str] = {}
    for answer in assistant.stream(typed, () if alone else history(turns), comments, filters, stopped):
        suggested = next_questions(answer) if suggested is None else suggested
        for source in {quote.source for quote in answer.quotes} - digests.keys():
            digests[source] = assistant.document(source).digest
        yield turn(asked, answer, digests, suggested, comments, filters)


def connected(settings: Settings, url: str, model: str, key: str) -> tuple[LanguageModel, str]:
    """The language model that somebody named, and a line that says how fast it answers; QAError when it does not."""
    found = language_model(settings.set_to(llm_url=url.strip(), llm_model=model.strip(), llm_key=key.strip()))
    if found is None:
        raise QAError("The address is empty; give that of the server, such as http://127.0.0.1:11434/v1.")
    return found, f"{probe(found.endpoint)}."


def messages(turns: Sequence[Turn], words: Words, pending: str = "", writing: str = "") -> list[Message]:
    """The conversation as the chat shows it, with what is being asked at its end, or the model that is `writing`."""
    shown: list[Message] = []
    for n, each in enumerate(turns):
        by = writing if n == len(turns) - 1 else ""
        shown += [_said("user", question_html(each.asked)), _said("assistant", answer_html(each, words, turns[:n], by))]
    if writing:
        return shown
    if pending:
        shown += [_said("user", question_html(pending)), _said("assistant", hint(words["reading"]))]
    elif turns and turns[-1].suggested:
        shown[-1]["options"] = [{"value": question, "label": question} for question in turns[-1].suggested]
    return shown


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": " ".join(content.split())}  # Markdown's HTML ends at a blank line.


def beside(assistant: Assistant, turns: Sequence[Turn], words: Words) -> str:
    """The article behind the first quote of the last answer; marks beside a refusal would look like an answer."""
    if not turns or not turns[-1].answered:
        return hint(words["no_source"])
    last = turns[-1]
    source = last.quotes[0].source
    spans = [(quote.start, quote.end) for quote in last.quotes if quote.source == source]
    return shown_again(assistant, source, last.digests[source], spans, words)


def shown_again(assistant: Assistant, source: str, digest: str, spans: Iterable[Sequence[int]], words: Words) -> str:
    """An article with the marks of an answer, or a line that says why it cannot be shown. `digest` may be cut short."""
    try:
        document, parts = assistant.labelled(source)
    except QAError:
        return problem(words["gone"].format(source=source), source)
    if not document.digest.startswith(digest):
        return problem(words["changed_since"].format(source=source), source)
    return article_html(document, parts, [Span(int(start), int(end)) for start, end in spans], words)


def peeked(assistant: Assistant, source: str, digest: str, start: int, end: int) -> dict[str, str]:
    """A quote between what stands before and after it, and where that is, a line a fact, as plain text; nothing when it
    changed.
    """
    try:
        document = assistant.document(source)
    except QAError:
        return {}
    if not document.digest.startswith(digest):
        return {}
    before, after = document.text[max(0, start - AROUND) : start], document.text[end : end + AROUND]
    facts = (document.title, document.date, document.author, document.source)
    return {
        "before": before.rpartition("\n")[2],
        "quote": document.text[start:end],
        "after": after.partition("\n")[0],
        "facts": "\n".join(" ".join(fact.split()) for fact in facts if fact),
    }


def searched(turns: Sequence[Turn]) -> str:
    """What was searched for the last question, where that is not what was typed."""
    return turns[-1].searched if turns and turns[-1].searched != turns[-1].asked else ""


# --- thumbs down ------------------------------------------------------------------------------------------------------


def keep_case(
    assistant: Assistant, store: Path, turns: Sequence[Turn], refuse: bool, right: str, remark: str, words: Words
) -> str:
    """Write the last of the turns down as a case for `qa eval`: it must be refused, or quote the `right` words.

    Returns the line that says where it is; QAError when the words are in no article or the file cannot be written.
    """
    wrong = turns[-1]
    exact = "" if refuse else _exact(assistant, wrong, right, words)
    case = Case(wrong.asked, (exact,) if exact else (), tuple(each.asked for each in turns[:-1]))
    said = " ".join(quote.text for quote in wrong.quotes) if wrong.answered else ""
    path = store / FEEDBACK
    append_case(path, case, {"said": said, "remark": remark.strip(), "asked only": describe(wrong.filters)})
    return words["kept_case"].format(file=path)


def _exact(assistant: Assistant, wrong: Turn, right: str, words: Words) -> str:
    """The words as an article has them; people copy them with other blanks and line ends."""
    wanted = right.split()
    if wanted:
        passages = assistant.retrieve(" ".join(wanted), LOOKED_AT, include_comments=True)
        quoted = [assistant.document(source).text for source in wrong.digests if source in assistant.sources()]
        exact = re.compile(r"\s+".join(map(re.escape, wanted)))
        for text in [*(passage.text for passage in passages), *quoted]:
            if found := exact.search(text):
                return found.group()
    raise QAError(words["no_words"])


# --- history and library ----------------------------------------------------------------------------------------------


def exported(plain: Any, form: str, name: str) -> str:
    """A conversation as the text of a file, `form` "markdown" or "html"."""
    write = {"markdown": to_markdown, "html": to_html}[form]
    return write(from_plain(plain), name)


def shelf(assistant: Assistant, corpus: Path) -> list[Item]:
    """The library: every article in the folder or in the index."""
    return library.shelf(corpus, assistant.entries())


def added(corpus: Path, files: Mapping[str, bytes], words: Words) -> str:
    """Put dropped files into the folder; a line for each, and one bad file keeps no other out."""
    lines: list[str] = []
    for name, data in files.items():
        try:
            done = library.add(corpus, name, data)
            told = words["already"].format(name=name, source=done.source) if done.known else ""
            lines.append(f"<p>{sentence(told or words['added'].format(source=done.source), name, done.source)}</p>")
        except CorpusError as error:
            lines.append(problem(str(error)))
    return "".join(lines)


def removed(corpus: Path, source: str, words: Words) -> str:
    """Take an article out of the folder, and say where it went."""
    try:
        place = library.remove(corpus, source)
    except CorpusError as error:
        return problem(str(error), source)
    return f"<p>{sentence(words['was_removed'].format(source=source, place=place), place, source)}</p>"


def opened(assistant: Assistant, source: str, words: Words) -> str:
    """An article of the library with its parts told apart."""
    try:
        return article_html(*assistant.labelled(source), [], words)
    except QAError as error:
        return problem(str(error))
