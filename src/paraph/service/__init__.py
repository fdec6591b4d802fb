"""The composition root and the public face: install, redirection endpoint, webhook."""
