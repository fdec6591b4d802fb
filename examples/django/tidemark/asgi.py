"""For ASGI servers: `uvicorn --http h11 tidemark.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

from paraph.integrations.django.serving import with_zoom
from paraph.integrations.security_headers import SecurityHeaders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tidemark.settings")
application = SecurityHeaders(with_zoom(get_asgi_application()))
