"""Requests to the app under attack, as a browser or a bare socket sends them."""
