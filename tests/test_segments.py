from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import documents, ingest, segments
from qa.types import Document, Segment
from tests.conftest import SHARED
from tests.test_documents import TEXTS

LINES = st.lists(
    st.sampled_from(
        [
            "The river rose by two metres in a night, and the ferry could not leave the quay before noon on Monday.",
            "It sank.",
            "3 Comments", "Comments (2)", "1. Jane", "• Bob", "Ann says:", "Share this:", "Tags: boats, tea",
            "Published on: May 2, 2020 – The story.", "By Ana Ruiz", "# A heading", "RIVERS, BOATS, TEA, SALT",
            "", " ", "\t", "The Daily Ferry",
            "Add Comment", "Comments are closed.", "Related articles", "– a list item", "Add a comment",
        ]
    )
    | st.text(max_size=20),
    max_size=25,
)  # fmt: skip


def labelled(text: str, name: str = "a.txt") -> list[tuple[str, str]]:
    return [(part.kind, part.span.of(text)) for part in segments.label(document(text, name))]


def document(text: str, name: str = "a.txt") -> Document:
    return Document(name, text, "", "", "", "", "")


@given(text=TEXTS | LINES.map("\n".join) | LINES.map("\r\n".join), name=st.sampled_from(["a.txt", "a.md"]))
def test_every_character_that_is_not_blank_is_labelled_once(text: str, name: str) -> None:
    parts = segments.label(document(text, name))
    assert all(a.span.end <= b.span.start for a, b in pairwise(parts))
    assert all(part.span.start < part.span.end for part in parts)
    left = text
    for part in reversed(parts):
        left = left[: part.span.start] + left[part.span.end :]
    assert not left.strip(" \t\r\n\f\v\xa0\ufeff")


SCRAPED = """World
RIVERS, BOATS, TRADE, FERRIES, PORTS
Sam Lee
0 Comments
The ferry that never left
The ferry stayed at the quay on Monday because the river had risen by two metres overnight. Nobody was hurt.
Supplies ran low. The captain had asked for:
– flour
– salt
When the water fell, she left.
Share on Facebook
Print Friendly, PDF & Email

2 comments

  1. Jane

    I was there. It was not two metres, it was three!

    1. river_rat

      Three is what I measured.
      Twice.

  2. Bob

    1. Nonsense.

Comments are closed.
"""


def test_a_scraped_page_is_told_apart() -> None:
    assert labelled(SCRAPED) == [
        ("boilerplate", "World\nRIVERS, BOATS, TRADE, FERRIES, PORTS\nSam Lee\n0 Comments"),
        ("title", "The ferry that never left"),
        ("body", SCRAPED[SCRAPED.index("The ferry stayed") : SCRAPED.index("\nShare on")]),
        ("boilerplate", "Share on Facebook\nPrint Friendly, PDF & Email\n\n2 comments"),
        ("comment", "1. Jane\n\n    I was there. It was not two metres, it was three!"),
        ("comment", "1. river_rat\n\n      Three is what I measured.\n      Twice."),
        ("comment", "2. Bob\n\n    1. Nonsense."),
        ("boilerplate", "Comments are closed."),
    ]


def test_a_comment_count_above_the_story_opens_no_comments() -> None:
    story = "The ferry left at noon on Monday, as it always does when the river is low enough to cross."
    assert labelled(f"A headline\n\n3 comments\n\n{story}\n\n{story}")[-1] == ("body", f"{story}\n\n{story}")


STORY = "The ferry left at noon on Monday, as it always does when the river is low enough to cross."


@pytest.mark.parametrize(
    "line",
    [
        "No response to the letter has been received.", "More in the south are hungry.", "Copyright law shields them.",
        "Get our troops out of the region, he said.", "Topics: The talks covered arms, gas and grain.",
        "Source: the ministry of finance.", "12 replies to the survey were in favour.", "Discussion", "## Responses",
        "Read all comments here first, she wrote.", "Share this bread with the poor, he said.",
    ],
)  # fmt: skip
def test_a_sentence_is_never_furniture(line: str) -> None:
    text = f"A headline\n\n{STORY}\n\n{line}\n\n- Faster boats\n- Lower fares\n\n{STORY}\n"
    assert [kind for kind, _ in labelled(text)] == ["title", "body"]


def test_the_lines_of_a_wrapped_paragraph_are_told_as_one() -> None:
    wrapped = (
        "The library of Arlen lost eleven thousand books in the flood, said\nits director, and the readers had to go\n"
        "home. Nobody could share it with\nthose who came to search\nfor them. It was the worst day of her life."
    )
    assert labelled(f"The flood of Arlen\n\n{wrapped}\n\nIt rained for days.\n") == [
        ("title", "The flood of Arlen"),
        ("body", f"{wrapped}\n\nIt rained for days."),
    ]


def test_a_dateline_is_cut_from_the_story_it_opens() -> None:
    text = "A headline\n\nPublished on: Nov 12, 2019 @ 08:05 – The ferry left at noon, its captain said on Monday.\n"
    assert labelled(text)[1:] == [
        ("boilerplate", "Published on: Nov 12, 2019 @ 08:05 –"),
        ("body", "The ferry left at noon, its captain said on Monday."),
    ]


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("A headline\n\n", "A headline"),
        ("Ferry strike ends, but the boats still do not ...\n\n", "Ferry strike ends, but the boats still do not ..."),
        ("Is the ferry safe?\n\n", "Is the ferry safe?"),
        ("Samuel Lee Jr.\n\n", "Samuel Lee Jr."),
        ("", ""),
        ("The ferry left early today.\n\n", ""),
        ("# The *ferry* left\n\n", "The *ferry* left"),
    ],
)
def test_titles(head: str, title: str) -> None:
    story = document(f"{head}The ferry left at noon on Monday, as it always does when the river is low enough.\n")
    assert segments.title_of(story, segments.label(story)) == title


def test_a_markdown_heading_opens_the_comments_too() -> None:
    story = "# A ferry\n\nThe ferry left at noon on Monday, as it always does.\n\nNobody was hurt on the way over.\n\n"
    parts = labelled(f"{story}## 2 comments\n\n1. Jane Doe\n\nMore goats!\n\n2. Al\n\nNo more goats.\n", "a.md")
    assert [text for kind, text in parts if kind == "comment"] == [
        "1. Jane Doe\n\nMore goats!",
        "2. Al\n\nNo more goats.",
    ]


@pytest.mark.parametrize(
    ("comment", "author"),
    [
        ("1. Jane Doe\n\nMore goats!", "Jane Doe"),
        ("Old Harlow says:\nMore goats!", "Old Harlow"),
        ("Jane, 3 hours ago\nMore goats!", "Jane, 3 hours ago"),
        ("More goats!", ""),
    ],
)
def test_who_wrote_a_comment(comment: str, author: str) -> None:
    assert segments.comment_author(comment) == author


def test_a_document_of_one_line_keeps_it_as_body() -> None:
    assert labelled("Ferry leaves") == [("body", "Ferry leaves")]


def test_front_matter_is_no_part_of_the_story() -> None:
    text = "---\ntitle: Ferry\n---\n\nThe ferry left at noon on Monday, as it always does.\n"
    assert [kind for kind, _ in labelled(text, "a.md")] == ["boilerplate", "body"]


def test_long_lines_cost_no_time() -> None:
    # Patterns that repeat inside a repeat would take minutes here.
    for line in ("source: " + "a " * 50_000, "share " * 20_000 + "!", "1" * 100_000, "Jane says" * 20_000):
        segments.label(document(f"{line}\n\n3 comments\n\n{line}\n"))


@pytest.mark.skipif(not SHARED.joinpath("seeds").is_dir(), reason="the scraped articles are not beside this checkout")
class TestScrapedArticles:
    """Real pages, which stay outside the project; their text is not repeated here."""

    @staticmethod
    def parts(prefix: str) -> tuple[Document, tuple[Segment, ...]]:
        (path,) = SHARED.joinpath("seeds").glob(f"{prefix}*.txt")
        return ingest.read_labelled(path.parent, path.name)

    @pytest.mark.parametrize("prefix", ["000", "001", "002", "003", "004"])
    def test_the_body_is_one_piece(self, prefix: str) -> None:
        _, parts = self.parts(prefix)
        assert [part.kind for part in parts].count("body") == 1

    @pytest.mark.parametrize(
        ("prefix", "first", "last"),
        [("000", 4, 29), ("001", 1, 15), ("002", 6, 15), ("003", 3, 71), ("004", 3, 21)],
    )
    def test_the_body_begins_and_ends_on_the_right_line(self, prefix: str, first: int, last: int) -> None:
        story, parts = self.parts(prefix)
        (body,) = (part.span for part in parts if part.kind == "body")
        lines = [story.text.count("\n", 0, place) + 1 for place in (body.start, body.end)]
        assert lines == [first, last]

    @pytest.mark.parametrize(("prefix", "opening", "comments"), [("003", "37 comments", 31), ("004", "Add Comment", 6)])
    def test_everything_below_the_story_is_a_comment(self, prefix: str, opening: str, comments: int) -> None:
        story, parts = self.parts(prefix)
        below = [part for part in parts if part.span.start > story.text.index(f"\n{opening}\n") + len(opening) + 1]
        said = [part for part in below if part.kind == "comment"]
        assert len(said) == comments
        assert {part.span.of(story.text) for part in below if part.kind != "comment"} <= {"Comments are closed."}

    def test_dates_and_titles(self) -> None:
        assert self.parts("004")[0].date == "2018-10-31"
        titled = [bool(self.parts(prefix)[0].title) for prefix in ("000", "001", "002", "003", "004")]
        assert titled == [True, False, True, True, True]


def test_the_version_of_the_labels_is_part_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ingest.recipe()
    monkeypatch.setattr(segments, "VERSION", segments.VERSION + 1)
    assert ingest.recipe() != before
    monkeypatch.undo()
    monkeypatch.setattr(documents, "VERSION", documents.VERSION + 1)
    assert ingest.recipe() != before
