"""The Flask example as a target of `paraph check`: the product, and the check's hooks."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

from cryptography.fernet import Fernet

CLOCK = Path(os.environ["CLOCK"])
_real = time.time


def _shifted() -> float:
    return _real() + float(CLOCK.read_text() if CLOCK.exists() else 0)


# Before the product takes the function as its clock.
time.time = _shifted
os.environ.setdefault("VAULT_KEY", Fernet.generate_key().decode())
_FILE = Path(__file__).parents[2] / "examples/installs_flask/app.py"
# Its tables are a module beside it.
sys.path.insert(0, str(_FILE.parent))
_spec = importlib.util.spec_from_file_location("installs_flask_app", _FILE)
assert _spec and _spec.loader
product = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(product)
app = product.app


def sign_out() -> str:
    """End the session."""
    product.session.clear()
    return "signed out"


def links() -> str:
    """Every link."""
    rows = product.tables.sql("SELECT subject, account_id, user_id FROM installs")
    return json.dumps(
        [dict(zip(("subject", "account_id", "user_id"), one, strict=True)) for one in rows]
    )


def events() -> str:
    """Every event that had an effect."""
    return json.dumps(
        [json.loads(body) for (body,) in product.tables.sql("SELECT body FROM events")]
    )


def advance() -> str:
    """Move the clock."""
    CLOCK.write_text(product.request.get_json()["seconds"])
    return "moved"


app.add_url_rule("/sign-out", view_func=sign_out, methods=["POST"])
for _hook in (links, events, advance):
    app.add_url_rule(f"/_hooks/{_hook.__name__}", view_func=_hook, methods=["POST"])
