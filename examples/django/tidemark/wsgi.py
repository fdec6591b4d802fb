"""For WSGI servers: `gunicorn tidemark.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tidemark.settings")
application = get_wsgi_application()
