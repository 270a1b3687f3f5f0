"""Words that can stand for each other, and numbers in letters and in digits."""

from __future__ import annotations

import random
import re

SAME_VERBS = """
say state; rise increase; fall decrease; begin start; end finish; buy purchase; build construct; found establish;
help assist; show demonstrate; use employ; need require; get obtain; keep retain; create make; receive get; allow
permit; ban prohibit; choose select; win gain; kill slay; attack assault; ask request; believe think; call name;
cause trigger; change alter; claim assert; close shut; collect gather; contain include; defeat beat; describe portray;
destroy demolish; develop devise; die perish; discover find; divide split; donate give; drop fall; enter join; explain
clarify; fix repair; force compel; form shape; give provide; grow expand; happen occur; improve enhance; invent devise;
lead head; leave depart; let allow; live reside; locate situate; lower reduce; marry wed; occupy hold; oppose resist;
order command; own possess; permit allow; pick choose; propose suggest; protect guard; reach attain; reject refuse;
release issue; replace supplant; seek want; send dispatch; stop halt; support back; teach instruct; tell inform; treat
handle; try attempt; want desire; warn caution; watch observe; write author; recommend advise; like enjoy; hate loathe
"""

SAME = """
about approximately; about roughly; around approximately; roughly approximately; nearly almost; many numerous; big
large; bigger larger; biggest largest; small little; quick fast; rapid fast; often frequently; rarely seldom; also too;
but however; because since; though although; despite notwithstanding; while whereas; before prior-to; after following;
during throughout; near close-to; until till; enough sufficient; entire whole; main principal; chief main; famous
well-known; famous renowned; important significant; difficult hard; easy simple; rich wealthy; correct right; wrong
incorrect; initial first; final last; latest most-recent; annual yearly; kind type; kinds types; sort kind; part
portion; parts portions; area region; areas regions; film movie; car automobile; doctor physician; war conflict;
country nation; countries nations; town municipality; home house; job position; child kid; children kids; answer reply;
error mistake; errors mistakes; goal aim; goals aims; idea notion; illness disease; level degree; number figure;
people persons; reason cause; result outcome; results outcomes; road street; rule regulation; rules regulations;
section part; speech address; study investigation; task job; total overall; way manner; additional extra; another
one-more; currently presently; mainly chiefly; mostly largely; only just; originally initially; particularly
especially; possibly perhaps; primarily mainly; quickly rapidly; together jointly; usually generally; various several;
largely mostly; at-least no-fewer-than; up-to at-most; each every
"""

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def pairs(block: str) -> dict[str, list[str]]:
    """Each word of a block of pairs, and what it is paired with."""
    found: dict[str, list[str]] = {}
    for pair in block.replace("\n", " ").split(";"):
        left, right = (word.replace("-", " ") for word in pair.split())
        found.setdefault(left, []).append(right)
        found.setdefault(right, []).append(left)
    return found


def in_letters(number: int) -> str | None:
    """A number below a hundred in letters."""
    if number < len(SMALL):
        return SMALL[number]
    if number >= 100:
        return None
    ten, one = divmod(number, 10)
    return TENS[ten - 2] + (f"-{SMALL[one]}" if one else "")


LETTERS = {letters: number for number in range(100) if (letters := in_letters(number))}

NUMBER = re.compile(
    r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w]|[.,]\d)|\b(?:" + "|".join(sorted(LETTERS, key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)


def shape(number: str) -> str:
    """A year, letters or digits."""
    if number.isdigit() and len(number) == 4 and number[0] in "12":
        return "year"
    return "digits" if number[0].isdigit() else "letters"


def near_number(number: str, rng: random.Random) -> str | None:
    """A number that could stand there as well: one digit, the order of magnitude, or a few years away."""
    if not number[0].isdigit():
        value = LETTERS[number.lower()]
        return in_letters(max(2, value + rng.choice((-3, -2, -1, 1, 2, 3, 5))))
    if shape(number) == "year":
        return str(int(number) + rng.choice((-20, -10, -5, -3, -2, -1, 1, 2, 3, 4, 10, 15)))
    places = [i for i, c in enumerate(number) if c.isdigit()]
    place = rng.choice(places)
    fresh = rng.choice([d for d in "123456789" if d != number[place]])
    if rng.random() < 0.2 and number.isdigit():
        return number + "0"
    return number[:place] + fresh + number[place + 1 :]


def exchanged(text: str, one: str, other: str) -> str:
    """The text with each of two phrases in the place of the other."""
    either = re.compile(rf"(?<!\w)(?:{re.escape(one)}|{re.escape(other)})(?!\w)", re.IGNORECASE)
    return either.sub(lambda m: other if m.group().lower() == one.lower() else one, text)
