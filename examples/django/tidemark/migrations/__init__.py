"""Schema steps, made by `manage.py makemigrations`."""
