"""The routes of the site in `with_allauth`."""

from django.urls import include, path

urlpatterns = [path("accounts/", include("allauth.urls"))]
