"""URLs of the product, with those of Zoom below /integrations/zoom/."""

from django.contrib.auth import urls as sign_in_urls
from django.urls import include, path

from tidemark import views

urlpatterns = [
    path("", views.home, name="home"),
    path("me", views.me, name="me"),
    path("disconnect", views.disconnect, name="disconnect"),
    path("", include(sign_in_urls)),
    path("integrations/zoom/", include("paraph.integrations.django.urls")),
]
