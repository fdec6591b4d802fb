"""Texts in an export lose paths of URLs, credentials and foreign addresses, in linear time."""

from __future__ import annotations

import time

import pytest

from paraph.operations.exported_text import REPLACED, text_for

JANE = "jane@people.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Join https://zoom.us/j/1?pwd=canary now", "Join https://zoom.us/… now"),
        ("HTTPS://zoom.us/rec/canary", "HTTPS://zoom.us/…"),
        ("(zoommtg://zoom.us/join?zak=canary)", "zoommtg://zoom.us/…"),
        ("https://jane:canary@zoom.us", "https://zoom.us/…"),
        ("https://a.example/1,https://b.example/canary", "https://a.example/…"),
        ("zoom.us/rec/canary", "zoom.us/…"),
        ("//zoom.us/rec/canary", "//zoom.us/…"),
        ("https:/zoom.us/rec/canary", "https:/zoom.us/…"),
        ("zoommtg:zoom.us?zak=canary", "zoommtg:zoom.us/…"),
        ("https%3A%2F%2Fzoom.us%2Frec%2Fcanary", REPLACED),
        ("Passcode: canary", f"Passcode: {REPLACED}"),
        ("password is canary", f"password is {REPLACED}"),
        ("Password\n=  canary x", f"Password\n=  {REPLACED} x"),
        ("j/1?pwd=canary", f"j/1?pwd={REPLACED}"),
        ('{"host_key": "canary"}', f'{{"host_key": {REPLACED}'),
        ("HostKey:canary apikey=canary", f"HostKey:{REPLACED} apikey={REPLACED}"),
        ("passcode: canary@x.example", f"passcode: {REPLACED}"),
        ("with ravi@people.example.", f"with {REPLACED}"),
        ("Ravi<ravi@people.example>", REPLACED),
        (f"with <{JANE}>, at 5", f"with <{JANE}>, at 5"),
        (f"{JANE},ravi@people.example", REPLACED),
    ],
)
def test_what_opens_or_names_something_is_taken_out(text: str, expected: str) -> None:
    """At every place of the text, in upper and lower case, with and without a scheme."""
    assert expected == text_for(JANE, text)


@pytest.mark.parametrize(
    "text",
    [
        "Weekly tide table: high water @ 14:05, and/or later?",
        "2026-11-29T17:00:00.000Z",
        "Europe/Lisbon",
        "4444AAAi/AAA//iAiAiipin==",
        "v1.0/",
    ],
)
def test_other_texts_are_unchanged(text: str) -> None:
    """Topics, times, time zones and the ids of meetings, which may contain slashes."""
    assert text == text_for(JANE, text)


def test_an_unknown_own_address_keeps_no_address() -> None:
    """A user without a grant has no known address, so every address is replaced."""
    assert REPLACED == text_for("", JANE)


@pytest.mark.parametrize(
    "piece",
    [
        *("a", "a.", "@", "a@", "a@b.", "://", "a://", "/", "./", "a+", "%2", ".?", "(not "),
        *("pass", "token ", "token:", "key", "pwd=", "is", " ", "\u3000"),
    ],
)
def test_a_long_text_is_read_in_linear_time(piece: str) -> None:
    """Quadratic reading of one such text takes a minute, linear reading milliseconds."""
    began = time.process_time()
    text_for(JANE, piece * (2**17 // len(piece)))
    assert time.process_time() - began < 20


def test_a_mebibyte_without_a_space_is_read() -> None:
    """As long as the longest body of an event: hours if each character began a new search."""
    word = "a" * 2**20
    assert word == text_for(JANE, word)
