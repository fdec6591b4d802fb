from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("meetings/", views.meeting_list, name="meetings"),
    path("webhooks/zoom/", views.zoom_webhook, name="zoom-webhook"),
]
