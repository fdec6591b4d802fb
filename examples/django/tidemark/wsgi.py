"""For WSGI servers: `gunicorn tidemark.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from paraph.integrations.security_headers import WSGISecurityHeaders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tidemark.settings")
application = WSGISecurityHeaders(get_wsgi_application())
