from django.db import models


class ZoomEvent(models.Model):
    name = models.CharField(max_length=100)
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.name} at {self.received_at}"
