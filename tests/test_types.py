from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import Entry, Filters, QAError
from qa.types import NO_FILTERS

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat)


def entry(source: str = "a.txt", day: str = "", url: str = "") -> Entry:
    return Entry(source, "A ferry", day, url, "Jane Doe", "digest", 3, 1)


@pytest.mark.parametrize(
    ("source", "url", "outlet"),
    [
        ("a.txt", "https://www.example.com/news/ferry", "example.com"),
        ("a.txt", "HTTP://News.Example.com:8080/", "news.example.com"),
        ("harbour/a.txt", "https://example.com/ferry", "example.com"),
        ("harbour/a.txt", "", "harbour"),
        ("news/harbour/a.txt", "", "news/harbour"),
        ("a.txt", "", ""),
        ("a.txt", "ferry, front page", ""),
        ("harbour/a.txt", "ferry, front page", "harbour"),
        ("a.txt", "http://[::1", ""),
        ("harbour/a.txt", "http://[not an address]/", "harbour"),
        ("harbour/a.txt", "https://", "harbour"),
    ],
)
def test_the_outlet_is_the_host_or_the_folder(source: str, url: str, outlet: str) -> None:
    assert entry(source, url=url).outlet == outlet


@given(url=st.text() | st.text().map("https://".__add__))
def test_no_url_breaks_the_outlet(url: str) -> None:
    assert isinstance(entry(url=url).outlet, str)


@pytest.mark.parametrize(
    ("since", "until", "admitted"),
    [
        ("", "", ["", "2023-12-31", "2024-03-05", "2024-03-31", "2025-01-01"]),
        ("2024", "", ["2024-03-05", "2024-03-31", "2025-01-01"]),
        ("", "2023", ["2023-12-31"]),
        ("2024", "2024", ["2024-03-05", "2024-03-31"]),
        ("2024-03", "2024-03", ["2024-03-05", "2024-03-31"]),
        ("2024-03-06", "2024", ["2024-03-31"]),
        ("2024-03-05", "2024-03-05", ["2024-03-05"]),
        ("2024-03-31", "2024-03", ["2024-03-31"]),
        ("2026", "", []),
    ],
)
def test_both_ends_of_a_range_are_in_it_and_what_has_no_date_is_in_none(
    since: str, until: str, admitted: list[str]
) -> None:
    days = ["", "2023-12-31", "2024-03-05", "2024-03-31", "2025-01-01"]
    filters = Filters(since, until)
    assert [day for day in days if filters.admits(entry(day=day))] == admitted


@given(day=DAYS, since=DAYS, until=DAYS, precision=st.sampled_from([4, 7, 10]))
def test_a_range_is_compared_as_precisely_as_it_is_written(day: str, since: str, until: str, precision: int) -> None:
    first, last = sorted((since[:precision], until[:precision]))
    assert Filters(first, last).admits(entry(day=day)) == (first <= day[:precision] <= last)


@pytest.mark.parametrize(
    ("filters", "admitted"),
    [
        (NO_FILTERS, ["a.txt", "b.txt", "harbour/c.txt"]),
        (Filters(outlets=("example.com",)), ["a.txt", "b.txt"]),
        (Filters(outlets=("harbour", "nobody")), ["harbour/c.txt"]),
        (Filters(documents=("b.txt", "harbour/c.txt")), ["b.txt", "harbour/c.txt"]),
        (Filters(since="2024", documents=("a.txt", "b.txt")), ["b.txt"]),
        (Filters(outlets=("harbour",), documents=("a.txt",)), []),
        (Filters(until="2023", outlets=("example.com",)), ["a.txt"]),
    ],
)
def test_a_document_must_pass_every_filter_and_one_name_of_each(filters: Filters, admitted: list[str]) -> None:
    catalogue = [
        entry("a.txt", "2023-05-01", "https://example.com/1"),
        entry("b.txt", "2024-05-01", "https://www.example.com/2"),
        entry("harbour/c.txt"),
    ]
    assert [each.source for each in catalogue if filters.admits(each)] == admitted


@pytest.mark.parametrize(
    "day", ["yesterday", "24", "2024-13", "2024-02-30", "2024-3-5", "2024-", " 2024", "٢٠٢٤", "0000"]
)
def test_what_is_no_date_says_how_one_is_written(day: str) -> None:
    for since, until in ((day, ""), ("", day)):
        with pytest.raises(QAError) as raised:
            Filters(since, until)
        assert str(raised.value) == (
            f"'{day}' is no date; write a year, a month or a day: 2024, 2024-03 or 2024-03-05."
        )


@pytest.mark.parametrize(("since", "until"), [("2024", "2023"), ("2024-03", "2024-02-29"), ("2024-03-05", "2024-02")])
def test_a_range_that_ends_before_it_begins_is_refused(since: str, until: str) -> None:
    with pytest.raises(QAError, match=rf"^The range from {since} to {until} is empty; put the earlier date first\.$"):
        Filters(since, until)


def test_one_name_may_be_given_as_it_is_and_many_as_a_list() -> None:
    assert Filters(outlets="harbour", documents=["a.txt", "b.txt"]) == Filters(  # type: ignore[arg-type]
        outlets=("harbour",), documents=("a.txt", "b.txt")
    )
