"""Pieces of HTTP that all endpoints share: responses, bodies, cookies, client addresses."""
