"""The wait until the app responds; it ends early if the app never will."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from urllib.parse import urlsplit

from paraph.checks.harness.app_process import Application
from paraph.checks.harness.http.destination import THIS_MACHINE, Reach
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.checks.harness.start_watch import StartWatch
from paraph.checks.verdict import ControlFailedError

# Seconds for one request of the wait for readiness.
_SINGLE_REQUEST = 5.0
# Seconds for the request to another port; the app has nothing else to do.
_OTHER_REQUEST = 1.0
# Seconds between two looks at an app that has a request.
_LOOK_EVERY = 0.2
# The part of the deadline in which an app with a request must do something; at least the seconds.
_IDLE_PART, _IDLE_LEAST = 0.5, 3.0
# Seconds for an app that cannot know its port: time enough to end with a message of its own.
_WITHOUT_PORT = 2.0
_NOT_READY = 503
_ADDRESS = re.compile(r"https?://[\w.\[\]-]+:(\d{2,5})")
_FRAME, _ERROR = re.compile(r"\s+at \S|Node\.js v\d"), re.compile(r"(?:Error|Exception)\b.*:")
# Responses that waiting does not improve, in the words of httpx, OpenSSL and the sender.
_UNUSABLE = re.compile(
    r"illegal|WRONG_VERSION_NUMBER|HTTP_REQUEST|UNEXPECTED_MESSAGE|larger than|does not end"
)
_PASS_PORT = (
    "Pass {port} to the app in `command` or `environment` of [start], "
    "or correct `ready` and `ready_within`."
)


def wait_until_ready(
    app: Application,
    url: str,
    seconds: float,
    *,
    reach: Reach = THIS_MACHINE,
    others: Collection[int] = (),
    knows_port: bool = True,
) -> None:
    """Wait at most `seconds` until the app responds to `GET url` with any status but 503.

    A connection alone proves nothing: a server that forks accepts it before its workers run.

    Args:
        app: the app.
        url: the URL to request.
        seconds: the deadline.
        reach: the allowed destinations of requests.
        others: further ports that the app was given; it may listen on them first.
        knows_port: False if nothing that the app was started with has the port of `url`.

    Raises:
        ControlFailedError: the app ended, has started elsewhere, sent what is not usable, has a
            request and does nothing, or sent no such response in time.
    """
    seconds = seconds if knows_port else min(seconds, _WITHOUT_PORT)
    deadline = time.monotonic() + seconds
    sender = Sender("", lambda _response: None, reach=reach)
    watch = StartWatch(app.process_id, url, others)
    idle = max(_IDLE_PART * seconds, _IDLE_LEAST)
    last = "it got no request"
    pool = ThreadPoolExecutor(1)
    try:
        while (left := deadline - time.monotonic()) > 0:
            if not app.alive:
                raise _ended(app)
            asked = pool.submit(sender.send, "GET", url, timeout=min(left, _SINGLE_REQUEST))
            while not wait_for([asked], _LOOK_EVERY).done:
                if watch.idle_seconds(time.monotonic()) >= idle:
                    raise _silent(url, idle)
            response = asked.result()
            if response.status not in {0, _NOT_READY}:
                return
            last = response.problem or f"status {response.status}"
            if _UNUSABLE.search(response.problem):
                raise _unusable(response)
            if instead := _started_elsewhere(watch, sender, url):
                raise _elsewhere(url, instead)
            time.sleep(0.03)
    finally:
        # A request without a response ends with the app, and then the connection is closed.
        pool.submit(sender.close)
        pool.shutdown(wait=False)
    if not app.alive:
        raise _ended(app)
    raise _not_ready(app, url, last, seconds, knows_port=knows_port)


def _started_elsewhere(watch: StartWatch, sender: Sender, url: str) -> str:
    """Return the address that the app serves instead of the one of `url`; "" if none is known."""
    wanted = urlsplit(url)
    for address, port in watch.settled(time.monotonic()):
        if port == wanted.port:
            return f"{address}:{port}"
        there = f"{wanted.scheme}://{address}:{port}{wanted.path or '/'}"
        response = sender.send("GET", there, timeout=_OTHER_REQUEST)
        if response.status not in {0, _NOT_READY}:
            return f"{address}:{port}"
    return ""


def _ended(app: Application) -> ControlFailedError:
    lines = telling_lines(app.output()) or ["it printed nothing"]
    said = next((one for one in reversed(lines) if _ERROR.search(one)), lines[-1])
    return ControlFailedError(
        f"the app ended at once with status {app.exit_status}: {said.strip()[:200]}",
        "Correct `command`, `directory` or `environment` in [start], or the app.",
    )


def telling_lines(output: str) -> list[str]:
    """Return the lines of an output without empty ones and the frames of JavaScript's stacks."""
    return [one for one in output.splitlines() if one.strip() and not _FRAME.match(one)]


def _unusable(response: Response) -> ControlFailedError:
    return ControlFailedError(
        f"the app's response to GET {response.url} is not usable HTTP ({response.problem})",
        "Let `base` in [urls] begin with https:// if the app serves TLS, and with http:// if not, "
        "or correct `ready` in [start].",
    )


def _elsewhere(url: str, instead: str) -> ControlFailedError:
    return ControlFailedError(
        f"the app has started on {instead}, and nothing listens at {url}",
        f"{_PASS_PORT} If the app opens another port first, pass it {{port2}}.",
    )


def _silent(url: str, seconds: float) -> ControlFailedError:
    return ControlFailedError(
        f"the app accepts connections and does not respond to GET {url}: it has done nothing for "
        f"{seconds:.0f} seconds",
        "Read the output of the app: it may wait for a program that is not there. If it only "
        "needs more time to start, lengthen `ready_within` in [start].",
    )


def _not_ready(
    app: Application, url: str, last: str, seconds: float, *, knows_port: bool
) -> ControlFailedError:
    port = urlsplit(url).port
    shown = [one[0] for one in _ADDRESS.finditer(app.output()) if int(one[1]) != port]
    elsewhere = f"; its output names {shown[-1]} instead" if shown else ""
    why = "" if knows_port else "nothing in [start] passes {port} to the app: "
    silent = f"the app did not respond to GET {url} within {seconds:.0f} seconds ({last})"
    return ControlFailedError(f"{why}{silent}{elsewhere}", _PASS_PORT)
