"""A follow-up question becomes one that stands alone, by a language model that may add no word of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qa.conversation import EMPTY, POINTS_BACK, Message, plain_text, points_back
from qa.generate import Endpoint, never, stream
from qa.names import fold, stem, words
from qa.support import negated

SECONDS = 10.0
"""How long the first word is waited for, as the search waits too; then the question is rewritten without the model."""

TOKENS = 80
REMEMBERED = 6
"""Messages of the conversation that the model is given, the last ones."""

LONGEST = 300
"""Characters of each message that it is given, and of what it may write."""

RULES = """You rewrite the last question of a conversation so that it can be understood without the conversation.
Replace words such as he, she, it, they, that or there by the names and things that they stand for.
Use only words of the conversation. Do not answer the question. Write the rewritten question and nothing else."""


def rewritten(
    endpoint: Endpoint, question: str, history: Sequence[Message], stopped: Callable[[], bool] = never
) -> str:
    """The question as a model makes it stand alone; "" when that would ask for something else. ModelError when the
    model does not answer.

    It keeps every word of the question that says something, adds only such of the conversation, and points back at
    nothing any more.
    """
    said = [f"{message.get('role', 'user')}: {plain_text(message)[:LONGEST]}" for message in history[-REMEMBERED:]]
    asked = "\n".join([*said, f"user: {question}", "", "Rewrite the last question."])
    messages = ({"role": "system", "content": RULES}, {"role": "user", "content": asked})
    line = "".join(stream(endpoint, messages, TOKENS, SECONDS, stopped)).strip().strip('"“”').strip()
    return line if _same_question(line, question, " ".join(said)) else ""


def _same_question(line: str, question: str, said: str) -> bool:
    whole = 0 < len(line) <= LONGEST and "\n" not in line and not points_back(line)
    kept = _telling(question) <= _telling(line) <= _telling(f"{said} {question}")
    asks_same = _asked_for(line) == _asked_for(question) and line.endswith("?") == question.endswith("?")
    return whole and kept and asks_same and negated(line) == negated(question)


def _asked_for(text: str) -> set[str]:
    return {word for word in map(fold, words(text)) if word in _ASKING}


_ASKING = frozenset(
    "who whom whose what which when where why how quien quienes que cual cuales cuando donde cuanto".split()
)


def _telling(text: str) -> set[str]:
    """The beginnings of the words that say something; numbers whole."""
    telling = (word for word in words(text) if fold(word) not in EMPTY and not POINTS_BACK.fullmatch(word))
    return {fold(word) if word[0].isdigit() else stem(word) for word in telling}
