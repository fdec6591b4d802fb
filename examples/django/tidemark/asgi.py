"""For ASGI servers: `uvicorn tidemark.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

from paraph.integrations.django.serving import with_zoom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tidemark.settings")
application = with_zoom(get_asgi_application())
