"""A quote is found where it stands word for word, whatever its characters wear, and nowhere else."""

from __future__ import annotations

import re
import sys
import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qa import QAError, Quote, Span, StoreError, Verdict
from qa.quoting import MAX_CHECKED, MAX_PLACES, _rough, _telling, find, normalised
from qa.store.snapshot import SqliteSnapshot
from tests.conftest import Library

ODD = (
    "aAbBeEiIkKsSßẞſıİ \t\n\r\xa0\u2009\u3000'\"’“”«»`´¨ͺ–—-−_.,:…‥$%°+±059²½①⑴⒈㎥™ªﬁﬅŉǰΐΣςσᾳὈʼÅÅ"
    "가각ᄀㄱㅏﾡㅏᅡᆨｶﾞＡ９𝟗ᴬ字हिी"
    "\u0301\u0316\u0323\u0345\u0338\u20dd\u3099\ufe0f\u034f\xad\u200b\u200d\ufeff\u202e\ud800\udc00😀👩"
)
HOSTILE = (
    st.text(st.sampled_from(ODD), max_size=40)
    | st.text(st.characters(), max_size=20)
    | st.text(st.sampled_from("aé \u0301\u0316\u0345\u20ddㅏᄀ²\xad"), min_size=30, max_size=90)
)
TOKENS = st.sampled_from(
    "goats Goats GOATS cafe\u0301 oﬃce ＡＢＣ isn’t non-violent 1,250 −5 $7.50 3% 字字 हिन्दी 가각 각 straße sof\xadt "
    "co\u200bop Ⅷ x\u0302 μm no. (so) 10² ½ 👩\u200d👧s o".split(" ")
)
GAPS = st.sampled_from([" ", "\n", "\r\n", "  ", "\xa0", " \u200b", ", ", " — ", "—", "; ", " “", "” ", " \t\n ", "--"])


def found(quote: str, text: str) -> list[str]:
    return [span.of(text) for span in find(quote, text)]


# --- what is the same -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "standing"),
    [
        ("the offer", "the offer"),
        ("The Offer", "THE OFFER"),
        ('"the offer"', "the offer"),
        ("“the offer”", "the offer"),
        ("  « the offer »\n", "the offer"),
        ("‘the offer’", "the offer"),
        ("a 'small' ferry", "a ‘small’ ferry"),
        ('a "small" ferry', "a “small” ferry"),
        ('a "small" ferry', "a „small“ ferry"),
        ('a "small" ferry', "a «small» ferry"),
        ('a "small" ferry', "a ＂small＂ ferry"),
        ("Ann's ferry", "Ann’s ferry"),
        ("Ann's ferry", "Annʼs ferry"),
        ("Ann's ferry", "Ann´s ferry"),
        ("Ann’s ferry", "Ann`s ferry"),
        ("forty - or so - goats", "forty – or so — goats"),
        ("non-violent", "non‑violent"),
        ("-5 degrees", "−5 degrees"),
        ("2020-2021", "2020–2021"),
        ("forty goats", "forty\xa0goats"),
        ("forty goats", "forty \u2009 goats"),
        ("forty goats", "forty\ngoats"),
        ("forty goats", "forty\r\ngoats"),
        ("forty\r\n  goats", "forty goats"),
        ("forty goats", "forty \u200bgo\xadats"),
        ("for\xadty goats", "forty goats"),
        ("caf\xe9 ol\xe9", "cafe\u0301 ole\u0301"),
        ("cafe\u0301 ole\u0301", "caf\xe9 ol\xe9"),
        ("the office", "the oﬃce"),
        ("the ﬁrst", "the first"),
        ("in 2024", "in ２０２４"),
        ("Room 12", "Ｒｏｏｍ　１２"),
        ("so... no", "so… no"),
        ("ΟΔΟΣ", "οδος"),
        ("가", "\u1100\u1161"),
        ("straße", "STRAẞE"),
        ("300 K", "300 \u212a"),
    ],
)
def test_only_the_dress_of_characters_may_differ(quote: str, standing: str) -> None:
    text = f"Yes, {standing}, she said."
    assert find(quote, text) == [Span(5, 5 + len(standing))]


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("She rejected the offer.", "She accepted the offer."),
        ("She rejected the offer.", "She rejected that offer."),
        ("She rejected the offer.", "She rejected the first offer."),
        ("She has rejected the offer.", "She has not rejected the offer."),
        ("She has not rejected the offer.", "She has rejected the offer."),
        ("They can agree", "They can't agree"),
        ("They can", "They can’t"),
        ("They can", "They cannot"),
        ("They don", "They don't"),
        ("violent protests", "non-violent protests"),
        ("violent protests", "non‑violent protests"),
        ("anti", "anti-war"),
        ("the president of Mexico", "the president of Mexico’s ally"),
        ("reject", "She rejected it"),
        ("jected", "She re\xadjected it"),
        ("cafe", "cafe\u0301"),
        ("caf\xe9", "cafe"),
        ("ﬁ", "ﬁrst"),
        ("56 goats", "65 goats"),
        ("250 goats", "1,250 goats"),
        ("250 goats", "1.250 goats"),
        ("250 goats", "1\xa0250 goats"),
        ("250 goats", "1 250 goats"),
        ("sold 1", "sold 1 250 goats"),
        ("sold 1", "sold 1,250 goats"),
        ("sold 5.", "sold 5.5 goats"),
        ("5 goats", "3.5 goats"),
        (".5 goats", "3.5 goats"),
        ("5 degrees", "-5 degrees"),
        ("5 degrees", "−5 degrees"),
        ("-5 degrees", "3-5 degrees"),
        ("5 degrees", "±5 degrees"),
        ("+5 degrees", "-5 degrees"),
        ("5 million", "$5 million"),
        ("$5 million", "US$5 million"),
        ("$5 million", "€5 million"),
        ("rose by 5", "rose by 5%"),
        ("rose by 5", "rose by 5-10"),
        ("19 cases", "covid-19 cases"),
        ("102 goats", "10² goats"),
        ("10 goats", "10² goats"),
        ("51⁄2 hours", "5½ hours"),
        ("51 goats", "5① goats"),
        ("2 hours", "½ hours"),
        ("in Massen", "in Maßen"),
        ("forty goats", "forty, goats"),
        ("She … offer", "She rejected the offer"),
        ("She ... offer", "She rejected the offer"),
        ("She […] offer", "She rejected the offer"),
        ("She [...] offer", "She rejected the offer"),
        ("... rejected", "She rejected"),
        ("over one. Sea three", "over one. Sea two. Sea three"),
        ("", "a text"),
        (" “” ", " “” "),
        ("…", "… so …"),
        ("?!", "no?!"),
        ("goats", ""),
    ],
)
def test_another_word_number_sign_or_negation_is_not_found(quote: str, text: str) -> None:
    assert find(quote, text) == []


@pytest.mark.parametrize(
    ("quote", "text", "places"),
    [
        ("goats", "Goats, goats and “goats”—goats--goats (goats) the goats' _goats_ goat", 8),
        ("the offer", "the offer—which she rejected—the offer", 2),
        ("which she rejected", "the offer—which she rejected—the offer", 1),
        ("5 goats", "Five—5 goats; (5 goats) '5 goats'", 3),
        ("250 people", "In 2020 250 people", 1),
        ("a a", "a a a a", 3),
        ("5 %", "rose by 5 %", 1),
        ("so… no", "so… no; so... no", 2),
    ],
)
def test_every_place_is_found(quote: str, text: str, places: int) -> None:
    assert len(find(quote, text)) == places


def test_a_place_has_all_of_its_characters_and_none_of_others() -> None:
    text = "\u200bThe oﬃ\xadce—cafe\u0301\u200d, “ＮＯ”\u200b."
    assert found("the office", text) == ["The oﬃ\xadce"]
    assert found("café", text) == ["cafe\u0301"]
    assert found("no", text) == ["ＮＯ"]


@settings(deadline=None)
@given(tokens=st.lists(st.tuples(TOKENS, GAPS), min_size=1, max_size=8), data=st.data())
def test_whole_words_of_a_text_are_found_where_they_stand(tokens: list[tuple[str, str]], data: st.DataObject) -> None:
    text, ends = "", []
    for token, gap in tokens:
        ends.append(Span(len(text), len(text) + len(token)))
        text += token + gap
    first = data.draw(st.integers(0, len(tokens) - 1))
    last = data.draw(st.integers(first, len(tokens) - 1))
    span = Span(ends[first].start, ends[last].end)
    assert span in find(span.of(text), text)
    if "ß" not in span.of(text):  # Python writes it SS.
        assert span in find(f"“{span.of(text).upper()}” ", text)


@settings(deadline=None)
@given(text=HOSTILE, data=st.data())
def test_any_part_that_cuts_nothing_is_found(text: str, data: st.DataObject) -> None:
    normal = normalised(text)
    assume(normal.text)
    start = data.draw(st.integers(0, len(normal.text) - 1))
    end = data.draw(st.integers(start + 1, len(normal.text)))
    span, part = normal.span(start, end), normal.text[start:end]
    whole = span is not None and not normal.is_cut(start) and not normal.is_cut(end)
    assume(part.strip(" '\"") == part and any(char.isalnum() for char in part))
    assert (span in find(part, text)) == whole
    if span:
        assert (span in find(span.of(text), text)) == whole


@settings(deadline=None)
@given(quote=HOSTILE, text=HOSTILE, data=st.data())
def test_every_place_is_within_the_text_and_says_the_same(quote: str, text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    for asked in (quote, text, text[start : start + data.draw(st.integers(0, 9))]):
        needle = normalised(asked).text.strip(" '\"")
        spans = find(asked, text)
        assert spans == sorted(set(spans))
        for span in spans:
            assert 0 <= span.start < span.end <= len(text)
            assert normalised(span.of(text)).text == needle
            before, behind = text[: span.start], text[span.end :]
            assert not (normalised(before).text[-1:].isalnum() and needle[0].isalnum()), "a word is cut"
            assert not (needle[-1].isalnum() and normalised(behind).text[:1].isalnum()), "a word is cut"
            assert unicodedata.combining(behind[:1] or " ") == 0, "an accent is cut off"
            assert unicodedata.combining(text[span.start]) == 0 or not normalised(before).text
        if spans:
            rough = re.findall(r"[a-z0-9]+", _rough(text))
            assert set(_telling(needle)) <= set(rough), "it would not be looked for"


# --- the normal form --------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(text=HOSTILE)
def test_evening_a_text_twice_is_evening_it_once(text: str) -> None:
    once = normalised(text).text
    assert normalised(once).text == once


@settings(deadline=None)
@given(texts=st.lists(HOSTILE, min_size=2, max_size=4))
def test_what_is_canonically_the_same_is_the_same(texts: list[str]) -> None:
    text = " x ".join(texts)
    assert normalised(unicodedata.normalize("NFC", text)).text == normalised(unicodedata.normalize("NFD", text)).text


def test_so_it_is_for_every_character_between_others() -> None:
    every = [char for char in map(chr, range(sys.maxunicode + 1)) if is_changed_or_joins(char)]
    assert len(every) > 9_000
    text = "".join(f"a{char}b {char}  {char} " for char in every)
    normal = normalised(text)
    assert normalised(normal.text).text == normal.text
    for start, end in pairwise(range(0, len(normal.text), 997)):
        span = normal.span(start, end)
        assert span is None or normalised(span.of(text)).text.strip() == normal.text[start:end].strip()


def is_changed_or_joins(char: str) -> bool:
    changed = unicodedata.normalize("NFKD", char) != char or char.casefold() != char
    return (changed and not "가" <= char <= "힣") or unicodedata.category(char)[0] in "MZP"


def test_every_dash_and_quotation_mark_is_plain() -> None:
    for char in map(chr, range(0x3100)):
        if unicodedata.category(char) == "Pd" and char not in "〜〰":
            assert normalised(char).text == "-", char
    assert normalised("‘’‚‛‹›′`´“”„‟«»″〝〞").text == "'" * 9 + '"' * 9


# --- how long it takes ------------------------------------------------------------------------------------------------

SIZE = 5_000_000


LONG: dict[str, tuple[str, str]] = {
    "one word": ("a" * 2000, "a" * SIZE),
    "a word again and again, cut at its end": (("ab " * 700)[:1999], "ab " * (SIZE // 3)),
    "accents without end": ("a\u0301\u0316" * 600, "a" + "\u0301\u0316" * (SIZE // 2)),
    "soft hyphens without end": ("ab", "a" + "\xad" * SIZE + "c"),
    "blanks without end": ("a b", " " * SIZE + "\u0301"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_no_text_of_five_million_characters_takes_more_than_seconds(name: str) -> None:
    quote, text = LONG[name]
    begun = time.monotonic()
    assert find(quote, text) == []
    assert time.monotonic() - begun < 30


def test_a_page_is_found_in_five_million_characters_within_seconds() -> None:
    prose = "".join(f"The {number}th ferry didn’t carry {number * 7} goats — no. " for number in range(SIZE // 45))
    start = prose.index("The 80000th")
    span = Span(start, prose.index(".", start + 2000))
    begun = time.monotonic()
    assert find(span.of(prose).replace("’", "'"), prose) == [span]
    assert time.monotonic() - begun < 10


# --- in which articles ------------------------------------------------------------------------------------------------

FERRY = (
    "The ferry to Holm\r\n\r\nPublished on: May 3, 2021\r\n\r\n"
    "The ferry carried 1,250 goats to the island on Monday, and it\xa0came back empty. “No goat,” said the captain,\r\n"
    "“wasn’t seasick.” The mayor of Holm did not meet him.\r\n\r\n"
    "2 comments\r\n\r\n1. Bo Brandt\r\nThe goats of Holm are the finest goats of all.\r\n\r\n"
    "2. Carla Voss\r\nI saw seals from the deck of the ferry.\r\n"
)
MILL = """---
title: The mill of Lund
date: 2023-02-01
---

The mill of Lund was sold to Ada Lind in spring, for a crown. The mayor of Holm did not meet him.
"""


@pytest.fixture
def goats(library: Library) -> Library:
    library.write("holm/ferry.txt", FERRY)
    library.write("mill.md", MILL)
    library.build()
    return library


def told(verdicts: list[Verdict]) -> list[tuple[str, list[str]]]:
    return [(verdict.found, [quote.source for quote in verdict.quotes]) for verdict in verdicts]


def test_a_quote_names_its_place(goats: Library) -> None:
    quote = '"No goat," said the captain, "wasn\'t seasick."'
    (verdict,) = goats.assistant.verify_quote(f"  {quote}\n")
    start = FERRY.index("No goat")
    text = "No goat,” said the captain,\r\n“wasn’t seasick."
    place = Quote(text, "holm/ferry.txt", start, start + len(text), "The ferry to Holm", "2021-05-03", "body")
    assert verdict == Verdict(quote, "exact", (place,))
    assert goats.assistant.document(place.source).text[place.start : place.end] == place.text


def test_a_text_is_checked_sentence_by_sentence_unless_it_stands_there_as_one(goats: Library) -> None:
    check = goats.assistant.verify_quote
    stitched = (
        "“The ferry carried 1,250 goats to the island on Monday, and it came back empty. "
        "The mayor of Holm did not meet him.”"
    )
    first, second = check(stitched)
    assert (first.text, second.text) == (
        stitched[1 : stitched.index(" The mayor")],
        "The mayor of Holm did not meet him.",
    )
    assert told([first, second]) == [("exact", ["holm/ferry.txt"]), ("exact", ["holm/ferry.txt", "mill.md"])]
    as_one = "The mill of Lund was sold to Ada Lind in spring, for a crown.\nThe mayor of Holm did not meet him."
    (verdict,) = check(as_one)
    assert (verdict.text, verdict.found, len(verdict.quotes)) == (as_one, "exact", 1)
    turned = "The mayor of Holm did not meet him. The mill of Lund was sold to Ada Lind in spring, for a crown."
    assert [verdict.found for verdict in check(turned)] == ["exact", "exact"]
    assert [verdict.found for verdict in check("The mayor of Holm did not meet him. He was glad. …")] == [
        "exact",
        "not found",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        "The mayor of Holm did meet him.",
        "The mayor of Lund did not meet him.",
        "The mayor of Holm did not meet her.",
        "The ferry carried 1,251 goats to the island on Monday",
        "The ferry carried 250 goats to the island on Monday",
        "250 goats to the island on Monday",
        "The ferry carried 1,250 goats … and it came back empty.",
        "“No goat,” said the captain, “was seasick.”",
        "The ferry carried 1,250 goats to the island, and it came back empty.",
        "The mayor of Holm did not meet",
        "Слова, которых нет.",
    ],
)
def test_what_was_changed_is_not_found(goats: Library, changed: str) -> None:
    cut_short = changed.endswith("meet")
    assert [verdict.found for verdict in goats.assistant.verify_quote(changed)] == [
        "exact" if cut_short else "not found"
    ]


def test_the_right_words_in_another_document_are_elsewhere(goats: Library) -> None:
    check = goats.assistant.verify_quote
    sold = "The mill of Lund was sold to Ada Lind in spring"
    assert told(check(sold, "mill.md")) == [("exact", ["mill.md"])]
    assert told(check(sold, "holm/ferry.txt")) == [("elsewhere", ["mill.md"])]
    assert told(check("She sold the mill", "mill.md")) == [("not found", [])]
    assert told(check("The mayor of Holm did not meet him.", "mill.md")) == [("exact", ["mill.md"])]
    both = f"The mayor of Holm did not meet him. {sold}. Nobody knew."
    assert told(check(both, "holm/ferry.txt")) == [
        ("exact", ["holm/ferry.txt"]),
        ("not found", []),  # It ends where the article's sentence goes on.
        ("not found", []),
    ]
    one_run = "The mill of Lund was sold to Ada Lind in spring, for a crown. The mayor of Holm did not meet him."
    assert told(check(one_run, "holm/ferry.txt")) == [("elsewhere", ["mill.md"]), ("exact", ["holm/ferry.txt"])]


def test_titles_comments_and_the_rest_of_the_page_are_found_as_what_they_are(goats: Library) -> None:
    kinds = {
        "The ferry to Holm": ("title", ""),
        "the finest goats of all": ("comment", "Bo Brandt"),
        "I saw seals from the deck": ("comment", "Carla Voss"),
        "Published on: May 3, 2021": ("boilerplate", ""),
        "title: The mill of Lund": ("boilerplate", ""),
        "it came back empty": ("body", ""),
    }
    for text, expected in kinds.items():
        ((quote,),) = [verdict.quotes for verdict in goats.assistant.verify_quote(text)]
        assert (quote.kind, quote.author) == expected, text


def test_no_more_places_are_named_than_ten_in_order(library: Library) -> None:
    for number in (3, 1, 2):
        library.write(f"{number}.txt", "A ferry.\n\nThe ferry left with the goats on Monday, as it does.\n\n" * 4)
    library.build()
    (verdict,) = library.assistant.verify_quote("the ferry left with the goats")
    places = [(quote.source, quote.start) for quote in verdict.quotes]
    assert len(places) == MAX_PLACES
    assert places == sorted(places)
    assert {source for source, _ in places} == {"1.txt", "2.txt", "3.txt"}
    (verdict,) = library.assistant.verify_quote("the ferry left with the goats", "3.txt")
    assert [quote.source for quote in verdict.quotes] == ["3.txt"] * 4


def test_of_many_sentences_each_is_checked(goats: Library) -> None:
    nothing = "".join(f"Nobody saw {number} goats. " for number in range(100))
    found = goats.assistant.verify_quote(f"{nothing}The mayor of Holm did not meet him. {nothing}")
    assert [verdict.found for verdict in found] == ["not found"] * 100 + ["exact"] + ["not found"] * 100


def test_every_document_is_read_once(goats: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    document = SqliteSnapshot.document

    def counted(self: SqliteSnapshot, source: str) -> object:
        read.append(source)
        return document(self, source)

    monkeypatch.setattr(SqliteSnapshot, "document", counted)
    goats.assistant.verify_quote("The mayor of Holm did not meet him. It came back empty. Nobody knew. Nobody said.")
    assert sorted(read) == ["holm/ferry.txt", "mill.md"]


def test_what_cannot_be_checked_is_said_in_a_sentence(goats: Library, library: Library) -> None:
    check = goats.assistant.verify_quote
    for empty in ("", " \n", "“”", "…", "?!", "\u200b"):
        with pytest.raises(QAError, match=r"^The quote is empty; type at least one word\.$"):
            check(empty)
    assert [verdict.found for verdict in check("a" * MAX_CHECKED)] == ["not found"]
    with pytest.raises(QAError, match=r"^The quote has 20,001 characters; check at most 20,000 at once\.$"):
        check("a" * (MAX_CHECKED + 1))
    for unknown in ("gone.txt", "MILL.MD", "\udcff"):
        with pytest.raises(
            QAError, match=r"^No document '.*' is in the index; check its name, or run `qa index` to add it\.$"
        ):
            check("goats", unknown)


def test_without_an_index_that_is_said(library: Library) -> None:
    with pytest.raises(StoreError, match="run `qa index`"):
        library.assistant.verify_quote("goats")


@pytest.fixture(scope="module")
def one_article(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("library"))
    library.write("a.txt", "A ferry\n\n" + "".join(char for char in ODD if char.isprintable()))
    library.build()
    return library


@settings(deadline=None)
@given(text=st.lists(HOSTILE, min_size=1, max_size=4).map(". ".join))
def test_no_text_breaks_it(one_article: Library, text: str) -> None:
    assume(any(char.isalnum() for char in normalised(text).text))
    verdicts = one_article.assistant.verify_quote(text)
    assert verdicts
    for verdict in verdicts:
        assert verdict.text in text
        assert (verdict.found == "exact") == bool(verdict.quotes)
        for quote in verdict.quotes:
            assert one_article.assistant.document("a.txt").text[quote.start : quote.end] == quote.text
