"""Template tags: `{% load paraph %}`."""
