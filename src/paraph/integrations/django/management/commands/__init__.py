"""Commands: `manage.py paraph_status` and `manage.py paraph …`."""
