"""Test hooks for `paraph check`. Without CHECK_HOOK_KEY the app has no such URLs.

Register them where the app is made:

    if "CHECK_HOOK_KEY" in os.environ:
        from check_hooks import hooks
        app.register_blueprint(hooks)
"""

import hmac
import os

from flask import Blueprint, abort, jsonify, request

hooks = Blueprint("check_hooks", __name__, url_prefix="/_check")


def installations():
    """Return every installation as {"subject": ..., "user_id": ..., "account_id": ...}.

    subject: your user's id, or "" without users of your own; the others are Zoom's ids.
    """
    from app import db

    rows = db().execute("select * from users")
    return [{"subject": "", "user_id": one["id"], "account_id": one["account_id"]} for one in rows]


def call_zoom(subject, user_id):
    """Call https://api.zoom.us/v2/users/me as your app does for this user; return the status."""
    import requests
    from app import ZOOM_API, access_token, db

    if db().execute("select 1 from users where id = ?", (user_id,)).fetchone() is None:
        return 404
    token = access_token(user_id)
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{ZOOM_API}/users/me/meetings", headers=headers, timeout=10).status_code


def expire(subject, user_id):
    """Let the stored expiry of this user's access token be in the past."""
    from app import db

    with db() as connection:
        connection.execute("update users set expires_at = 0 where id = ?", (user_id,))


@hooks.before_request
def only_the_check():
    key = os.environ.get("CHECK_HOOK_KEY", "")
    given = request.headers.get("x-check-key", "")
    if not key or not hmac.compare_digest(given.encode(), key.encode()):
        abort(404)


@hooks.get("/links")
def links():
    return jsonify(installations())


@hooks.post("/use")
def use():
    status = call_zoom(request.json["subject"], request.json["user_id"])
    return "", 200 if status < 300 else 502


@hooks.post("/expire")
def expired():
    expire(request.json["subject"], request.json["user_id"])
    return "", 204
