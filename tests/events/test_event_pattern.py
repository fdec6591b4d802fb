"""Patterns of event names, and the names that no event can have."""

from __future__ import annotations

import json

import pytest

from paraph.errors import UsageError
from paraph.events.event_pattern import NOTICES, EventPattern
from paraph.zoom.events import APP_DEAUTHORIZED
from vector_files import FOLDER

ALL_NOTICES = ", ".join(NOTICES)


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "meeting.ended", "meeting.*", "meeting.participant_*", "m*", "app.*", "app_*"),
        *("bot_installed", "app_uninstalled", "interactive_message_select", "bot_notification"),
        *("phone.callee_answered", "user.presence_status_updated", "interactive*", "rtms.*"),
        *("app.authorization_request_created", "zoomroom.alert", "zoomroom*", "meeting.rtms_*"),
        *(*NOTICES, "installation.*", "installation.re*", "installation.needs*"),
    ],
)
def test_names_that_can_occur_are_taken(pattern: str) -> None:
    """Zoom's names, its chatbots' names and ours can be registered, and beginnings of them."""
    assert pattern == EventPattern.parse(pattern).text


def test_every_event_of_zooms_can_be_registered() -> None:
    """No name of Zoom's own lists is taken for a slip, nor is its family."""
    content = json.loads((FOLDER / "concerned_users.json").read_text(encoding="utf-8"))
    names = {case["event"] for case in content["cases"]} - {APP_DEAUTHORIZED}
    assert 200 < len(names)
    for name in names:
        assert name == EventPattern.parse(name).text
        family, dot, _ = name.partition(".")
        if dot:
            EventPattern.parse(f"{family}.*")


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        # What paraph carries out itself.
        ("app_deauthorized", "installation.removed"),
        ("app_deauthorized*", "installation.removed"),
        ("app.deauthorized", "installation.removed"),
        ("app_deauthorised", "installation.removed"),
        ("app_deauthorize", "installation.removed"),
        ("APP_DEAUTHORIZED", "installation.removed"),
        ("zoom.app_deauthorized", "installation.removed"),
        ("endpoint.url_validation", "itself"),
        ("endpoint.*", "itself"),
        ("endpoint.url_validated", "itself"),
        # The prefix stands in forwarded requests only.
        ("zoom.meeting.ended", '"meeting.ended"'),
        ("zoom.meeting.*", '"meeting.*"'),
        ("zoom.*", '"*"'),
        ("zoom.bot_installed", '"bot_installed"'),
        ("zoom.installation.removed", '"installation.removed"'),
        # Notices that do not exist.
        ("installation.deleted", ALL_NOTICES),
        ("installation.created", ALL_NOTICES),
        ("installation.x*", ALL_NOTICES),
        ("installation.remove", ALL_NOTICES),
        ("installations.removed", ALL_NOTICES),
        ("installation_removed", ALL_NOTICES),
        ("instalation.removed", ALL_NOTICES),
        # Neither notices alone nor everything.
        ("i*", '"installation.*"'),
        ("installation*", '"installation.*"'),
        # Written in another way than Zoom writes it.
        ("Meeting.Ended", '"meeting.ended"'),
        ("meeting ended", '"meeting.ended"'),
        ("meeting:ended", '"meeting.ended"'),
        ("meeting/ended", '"meeting.ended"'),
        (" meeting.ended\n", '"meeting.ended"'),
        ("meeting-ended", '"meeting.ended"'),
        ("meeting_ended", '"meeting.ended"'),
        ("meetings.ended", '"meeting.ended"'),
        ("meting.ended", '"meeting.ended"'),
        ("recordings.completed", '"recording.completed"'),
        ("phone_callee_ringing", '"phone.callee_ringing"'),
        ("meeting", '"meeting.*"'),
        ("recording", '"recording.*"'),
        ("Installation.Removed", '"installation.removed"'),
        # No name at all.
        ("", "meeting.ended"),
        (".", "meeting.ended"),
        ("meeting.", "meeting.ended"),
        (".*", "meeting.ended"),
        ("meeting..ended", "meeting.ended"),
        (".ended", "meeting.ended"),
        ("*.ended", "meeting.ended"),
        ("meet*ing", "meeting.ended"),
        ("meeting.**", "meeting.ended"),
    ],
)
def test_a_name_that_can_never_occur_is_refused(pattern: str, remedy: str) -> None:
    """The refusal comes at registration, and names what was meant."""
    with pytest.raises(UsageError) as refused:
        EventPattern.parse(pattern)
    assert remedy in (refused.value.remedy or "")


def test_something_that_is_no_text_is_refused() -> None:
    """A forgotten call, such as `@zoom.on`, does not become a pattern."""
    with pytest.raises(UsageError):
        EventPattern.parse(print)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "name", "is_notice", "matches"),
    [
        ("*", "meeting.ended", False, True),
        ("*", "installation.removed", True, True),
        ("*", "installation.removed", False, True),
        ("installation.removed", "installation.removed", True, True),
        ("installation.removed", "installation.removed", False, False),
        ("installation.*", "installation.removed", True, True),
        ("installation.*", "installation.removed", False, False),
        ("meeting.*", "meeting.ended", False, True),
        ("meeting.*", "meeting.ended", True, False),
        ("meeting.ended", "meeting.ended_twice", False, False),
    ],
)
def test_source_and_name_both_decide(
    pattern: str, name: str, *, is_notice: bool, matches: bool
) -> None:
    """A pattern for notices chooses none of Zoom's events, whatever their name; and the reverse."""
    assert matches is EventPattern.parse(pattern).matches(name, is_notice=is_notice)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("app.deauthorization", "installation.removed"),
        ("user.deauthorized", "installation.removed"),
        ("app_deauthorized.*", "installation.removed"),
        ("installation.deauthorised", "installation.removed"),
        ("needs_reauthorization", "installation.needs_reauthorization"),
        ("removed", "installation.removed"),
        ("url_validation", "paraph answers Zoom's URL validation itself"),
        ("contact_center_user_status_changed", "contact_center.user_status_changed"),
        ("team_chat_file_shared", "team_chat.file_shared"),
    ],
)
def test_relatives_of_names_that_cannot_occur_are_refused(text: str, meant: str) -> None:
    """Other spellings of the removal, bare names of notices, and a family without its dot."""
    with pytest.raises(UsageError) as caught:
        EventPattern.parse(text)
    assert meant in caught.value.remedy
