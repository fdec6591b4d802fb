"""The retired words of this project, with the words to write instead.

`docs/prose.py` looks for them in documents, docstrings, comments and messages;
`tests/project/test_words.py` looks for them in names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Retired:
    """A retired word.

    Attributes:
        instead: the words to write.
        text: a regular expression for texts; empty if texts may use the word.
        name: a regular expression for names in lower case, whose words are joined by `_`; empty
            if names may use the word.
    """

    instead: str
    text: str = ""
    name: str = ""


def _both(word: str, instead: str) -> Retired:
    return Retired(instead, text=word, name=word)


RETIRED = (
    _both("whoever|whomever|nobody|somebody", "name the person or the program"),
    Retired('say "there is no …" or name the thing', text="(?:is|are|has|have|had|was) none"),
    Retired("result, outcome", text="what (?:came|comes|became) of"),
    _both("mend(?:s|ed|ing)?", "fix; for the URL: reauthorize"),
    Retired(
        "forward, deliver",
        text="hand(?:s|ed|ing)? (?:it |them |one )?on",
        name="hand(?:s|ed|ing)?_on",
    ),
    _both("patience|patiently", "timeout, deadline"),
    _both("lanes?", "fast path"),
    Retired("ASGI path, fast path", text="(?:plain|other|fast) (?:way|road)", name="plain_way"),
    _both("roads?", "claim queue"),
    _both("judg(?:e|es|ed|ing|ement)", "check, decide, verify"),
    Retired(
        "close, release, drop",
        text="let(?:s|ting)? go(?: of)?",
        name="let(?:s|ting)?_go",
    ),
    _both("forget(?:s|ting)?|forgotten|forgot", "delete, expire"),
    _both("tid(?:y|ies|ied|ying)", "housekeeping, delete what expired"),
    Retired("cached, available", text="at hand", name="at_hand"),
    Retired("prefetched, running", name="in_hand"),
    Retired("describe the argument, or leave it out", text="see there"),
    _both("rungs?|ladders?", "proof"),
    Retired("… again", text="sealed anew|seals? anew|asked anew|made anew|read anew", name="anew"),
    _both("budgets?", "rate limit"),
    Retired(
        "access lookup, recipient lookup",
        text="live reader|concerned reader",
        name="(?:live|concerned)_readers?",
    ),
    Retired(
        "rotation, batch, write lock",
        text="turn(?:s|ed|ing)? to (?:it|the new|a new)",
        # "Turn into", "turn off" and "turn on" are verbs.
        name="turns?(?!_(?:into|off|on)(?:_|$))|turned|turning",
    ),
    _both("visits?", "browser request, operator request"),
    Retired("path, queue", name="travels?|travell?(?:ed|ing)"),
    Retired("outcome", name="settlements?"),
    Retired("summary, or the name of the thing", name="gists?"),
    Retired("environment", name="grounds?|stages?"),
    Retired("case", name="trials?"),
    # It hides which of two things is meant.
    Retired("authentication, authorization", name="auth"),
)

_IN_TEXT = re.compile(
    "|".join(rf"(?P<w{n}>\b(?:{one.text})\b)" for n, one in enumerate(RETIRED) if one.text),
    re.IGNORECASE,
)
_IN_NAME = re.compile(
    "|".join(
        rf"(?P<w{n}>(?:(?<=^)|(?<=_))(?:{one.name})(?=_|$))"
        for n, one in enumerate(RETIRED)
        if one.name
    )
)


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], str]]:
    for match in pattern.finditer(text):
        yield match, RETIRED[int(str(match.lastgroup)[1:])].instead


def retired_in_text(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield each retired word of a text, and the words to write instead."""
    return _found(_IN_TEXT, text)


def retired_in_name(name: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield each retired word of an identifier, a log event or a metric, and the words instead.

    Args:
        name: it is split at underscores, dots, hyphens and capitals.
    """
    parts = re.split(r"[^A-Za-z0-9]+", _CAPITALS.sub("_", name.replace("OAuth", "Oauth")))
    return _found(_IN_NAME, "_".join(parts).lower())
