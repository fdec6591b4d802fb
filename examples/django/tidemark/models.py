"""One row for each Zoom meeting that has ended."""

from django.db import models


class EndedMeeting(models.Model):  # noqa: DJ008 - No page prints a row.
    """A meeting; the event id keeps an event that arrives twice from counting twice."""

    event_id = models.CharField(max_length=64, unique=True)
    subject = models.CharField(max_length=255)
    topic = models.CharField(max_length=255)
