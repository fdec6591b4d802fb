"""The content of an event as its user may receive it: without secrets, and without other people.

The content of Zoom's events has a shape for each family, and new families appear with new fields.
So a field is exported only if its name is listed here, or if its value is the user's own id or
e-mail address. A field that no list names is replaced, whatever it holds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from paraph.operations.exported_text import REPLACED, text_for


def _names(text: str) -> frozenset[str]:
    return frozenset(_plain(name) for name in text.split())


def _plain(name: str) -> str:
    """Return the form that `recordingFile` and `recording_file` have in common."""
    return name.replace("_", "").lower()


# Objects and lists about the event itself. Every other object is unknown or about people.
_CONTAINERS = _names(
    """
    payload object old_object data installation zoom meeting meetings recording recordings
    recording_file recording_files archive_files occurrences recurrence settings schedule_meeting
    in_meeting email_notification telephony feature
    """
)
# Fields about the event itself: ids of things, kinds, times, sizes and names of things.
_ABOUT_EVENTS = _names(
    """
    event event_ts account_id client_id id uuid event_id meeting_id meeting_uuid session_id
    recording_id recording_file_id call_id message_id channel_id engagement_id queue_id flow_id
    task_id team_id asset_id file_id whiteboard_id note_id schedule_id occurrence_id rtms_stream_id
    breakout_room_uuid installation_id
    type meeting_type recording_type file_type file_extension call_type call_result message_type
    channel channel_type asset_type client_type login_type creation_type version direction status
    status_id status_name previous_status_name presence_status scope operation phase reason
    start_time end_time created_at created_time updated_at deleted_at date_time time_stamp timestamp
    join_time leave_time deauthorization_time recording_start recording_end
    meeting_start_time meeting_end_time ringing_start_time answer_start_time connected_start_time
    call_end_time complete_time duration timezone file_size total_size recording_count
    generation sequence topic meeting_topic session_name queue_name flow_name subject
    join_url start_url play_url download_url share_url reauthorize_url mend_url server_urls
    """
)
# Fields about a person, exported from an object whose id or address is the user's own.
_ABOUT_THE_USER = _names("first_name last_name display_name user_name user_display_name dept")
_IDS_OF_PEOPLE = _names("id user_id participant_user_id email user_email")


class Person(NamedTuple):
    """The user whose data is exported; `email` is "" if it is not known."""

    user_id: str
    email: str


def content_for(person: Person, content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an event for one user.

    - Fields about the event itself are kept: ids, kinds, times, sizes, the topic.
    - The user's own id and e-mail address are kept everywhere, and the user's own names beside
      them. Yes, no, null and the empty text are kept in the objects that are shown.
    - Every other field is replaced, and so is every object about other people.
    - Texts that are kept, names of fields included, pass `text_for`.

    Args:
        person: the user.
        content: JSON values.
    """
    names = _ABOUT_EVENTS | _ABOUT_THE_USER if _is_about(person, content) else _ABOUT_EVENTS
    return {
        text_for(person.email, name): _field(person, _plain(name), value, names)
        for name, value in content.items()
    }


def _field(person: Person, name: str, value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_field(person, name, one, names) for one in value]
    if isinstance(value, dict):
        is_shown = name in _CONTAINERS or _is_about(person, value)
        return content_for(person, value) if is_shown else REPLACED
    if value is None or value == "" or isinstance(value, bool) or _is_own(person, value):
        return value
    if name not in names:
        return REPLACED
    return text_for(person.email, value) if isinstance(value, str) else value


def _is_about(person: Person, fields: dict[str, Any]) -> bool:
    return any(
        _plain(name) in _IDS_OF_PEOPLE and _is_own(person, value) for name, value in fields.items()
    )


def _is_own(person: Person, value: Any) -> bool:
    return isinstance(value, str) and value != "" and value in person
