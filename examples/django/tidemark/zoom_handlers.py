"""Handlers of Zoom's events and of paraph's notices."""

from paraph import HandedEvent
from paraph.integrations.django import on
from tidemark.models import EndedMeeting


@on("meeting.ended")
def count_meeting(event: HandedEvent) -> None:
    for one in event.installations:
        EndedMeeting.objects.get_or_create(
            event_id=event.id,
            defaults={"subject": one.subject, "topic": event.payload["object"].get("topic", "")},
        )


@on("installation.removed")
def delete_meetings(event: HandedEvent) -> None:
    EndedMeeting.objects.filter(subject=event.payload["installation"]["subject"]).delete()
