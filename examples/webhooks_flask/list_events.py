"""Prints the kept events as JSON, so that `paraph check` sees which deliveries had an effect."""

import json
import sqlite3
import sys

rows = sqlite3.connect(sys.argv[1], timeout=10).execute("SELECT event FROM events")
json.dump([json.loads(event) for (event,) in rows], sys.stdout)
