import os

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("", include("meetings.urls")),
]

if "CHECK_HOOK_KEY" in os.environ:
    urlpatterns += [path("_check/", include("check_hooks"))]
