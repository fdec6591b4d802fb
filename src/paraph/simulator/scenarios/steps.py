"""The steps of a scenario, and the expectations that each of them may have.

In every text of a step `${name}` is a value. `zoom` is the origin of the simulator, `app` that of
the start URL. `client_id`, `redirect_uri` and `webhook` are those of the first app. An earlier step
may have kept further values.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec

Status = Annotated[int, msgspec.Meta(ge=0, le=599)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
# A century, as for the clock of the control API.
Advance = Annotated[float, msgspec.Meta(ge=0, le=100 * 365.25 * 86400)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table without unknown keys."""


class RequestMatch(_Strict, kw_only=True, omit_defaults=True):
    """Requests in the journal.

    Attributes:
        path: the path, without the query.
        method: the method; "" for any.
        status: the status of the response; None for any.
        values: values of the query or the form.
        count: the number of such requests; None for at least one.
    """

    path: str
    method: str = ""
    status: Status | None = None
    values: dict[str, str] = {}
    count: Count | None = None


class DeliveryMatch(_Strict, kw_only=True, omit_defaults=True):
    """Deliveries of Zoom's.

    Attributes:
        event: the name of the event; "" for any.
        status: the status of the last attempt; None for any, 0 if there was no response.
        attempts: the number of attempts; None for at least one.
        count: the number of such deliveries; None for at least one.
    """

    event: str = ""
    status: Status | None = None
    attempts: Count | None = None
    count: Count | None = None


class Expectations(_Strict, kw_only=True, omit_defaults=True):
    """The state that a step must result in.

    Attributes:
        status: the status of the app's response, or several possible ones; 0 for no response.
        text: a text in the body of the app's response.
        absent: a text that must not be in the body of the app's response.
        url: the beginning of the URL, or of its path, of the page that is shown.
        attempts: the number of attempts of the delivery.
        grants: the users with a live grant, by id or e-mail address; no others have one.
        requests: requests in the journal since the step began; of a `check`, since the start.
        deliveries: deliveries since the step began; of a `check`, since the start.
    """

    status: Status | list[Status] | None = None
    text: str = ""
    absent: str = ""
    url: str = ""
    attempts: Count | None = None
    grants: list[str] | None = None
    requests: list[RequestMatch] = []
    deliveries: list[DeliveryMatch] = []


class Step(_Strict, kw_only=True, tag_field="do", omit_defaults=True):
    """One step.

    Attributes:
        note: a sentence for the reader.
        expect: the state that it must result in.
    """

    responds: ClassVar[bool] = False

    note: str = ""
    expect: Expectations = msgspec.field(default_factory=Expectations)


class InBrowser(Step, kw_only=True):
    """A step of a person in a browser; each name of a browser is a profile with its own cookies."""

    responds: ClassVar[bool] = True

    browser: str = "person"


class Start(InBrowser, kw_only=True, tag="start"):
    """A person opens the URL that starts an install, up to Zoom's consent page.

    Attributes:
        url: the URL; "" for `start_url` of the scenario.
    """

    url: str = ""


class Approve(InBrowser, kw_only=True, tag="approve"):
    """The person gives consent.

    Attributes:
        user: the Zoom user; "" for the first one.
        follow: false keeps the browser on Zoom's page: the app never gets the code.
        keep: keeps `code`, `state` and `redirect` of the response as `${KEEP.code}` and so on.
    """

    user: str = ""
    follow: bool = True
    keep: str = ""


class Deny(InBrowser, kw_only=True, tag="deny"):
    """The person denies consent."""


class Press(InBrowser, kw_only=True, tag="press"):
    """The person presses a button, or follows a link, of the page that is shown.

    Attributes:
        text: the whole text of the button or link.
        fields: values for fields of its form.
    """

    text: str
    fields: dict[str, str] = {}


class Request(Step, kw_only=True, tag="request"):
    """A request to the app.

    Attributes:
        browser: the browser that sends it, with its cookies; "" for a program without cookies.
        form: the fields of a form; None for none.
        body: a body, byte for byte in UTF-8.
        headers: headers to add or to replace.
    """

    responds: ClassVar[bool] = True

    url: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    browser: str = ""
    form: dict[str, str] | None = None
    body: str = ""
    headers: dict[str, str] = {}


class Send(Step, kw_only=True, tag="send"):
    """Zoom sends an event, and waits for the response.

    Attributes:
        payload: the payload; None for a realistic one.
        user: the user whom it concerns; "" for the first one.
        variant: "mixed_escapes", or "" for the usual form of the bytes.
        faults: faults for this event alone, each with its parameters.
        wait: false does not wait for the response.
    """

    responds: ClassVar[bool] = True

    event: str
    payload: dict[str, Any] | None = None
    user: str = ""
    client_id: str = ""
    variant: Literal["", "mixed_escapes"] = ""
    faults: dict[str, dict[str, Any]] = {}
    wait: bool = True


class Repeat(Step, kw_only=True, tag="repeat"):
    """The last delivery is sent again, byte for byte, as an attacker replays it."""

    responds: ClassVar[bool] = True


class Validate(Step, kw_only=True, tag="validate"):
    """Zoom sends the URL-validation challenge.

    Attributes:
        passed: whether the app must pass it.
    """

    client_id: str = ""
    passed: bool = True


class EndToken(Step, kw_only=True, tag="end_token"):
    """The access token of a user expires now."""

    user: str = ""
    client_id: str = ""


class Revoke(Step, kw_only=True, tag="revoke"):
    """The grant of a user is revoked, as if the app had called `/oauth/revoke`."""

    user: str = ""
    client_id: str = ""


class Deauthorize(Step, kw_only=True, tag="deauthorize"):
    """A user removes the app.

    Attributes:
        variant: a variant of the event, as in the console.
    """

    responds: ClassVar[bool] = True

    user: str = ""
    client_id: str = ""
    variant: str = ""


class FaultOn(Step, kw_only=True, tag="fault_on"):
    """A fault is switched on.

    Attributes:
        settings: its parameters; `times = 1` limits it to one occasion.
    """

    name: str
    settings: dict[str, Any] = {}


class FaultOff(Step, kw_only=True, tag="fault_off"):
    """A fault is switched off."""

    name: str


class ConsentRule(Step, kw_only=True, tag="consent"):
    """The way in which consent is decided from now on."""

    auto: Literal["approve", "deny", "ask"]
    user: str = ""


class Clock(Step, kw_only=True, tag="clock"):
    """The timers move forward, and everything that is then due is sent.

    Attributes:
        advance: seconds.
    """

    advance: Advance


class Wait(Step, kw_only=True, tag="wait"):
    """Waits for one thing: a time, a URL that responds, a request, or a delivery.

    Attributes:
        seconds: a time.
        url: a URL of the app that responds.
        request: a request in the journal since the start.
        delivery: a delivery with a response since the start.
        within: the deadline, in seconds.
    """

    seconds: Seconds | None = None
    url: str = ""
    request: RequestMatch | None = None
    delivery: DeliveryMatch | None = None
    within: Seconds = 10.0


class Check(Step, kw_only=True, tag="check"):
    """Does nothing: its expectations count since the start of the scenario."""


AnyStep = (
    Start
    | Approve
    | Deny
    | Press
    | Request
    | Send
    | Repeat
    | Validate
    | EndToken
    | Revoke
    | Deauthorize
    | FaultOn
    | FaultOff
    | ConsentRule
    | Clock
    | Wait
    | Check
)

STEPS = frozenset(str(one.__struct_config__.tag) for one in get_args(AnyStep))


class Scenario(_Strict, kw_only=True, omit_defaults=True):
    """A script of steps.

    Attributes:
        title: one line.
        about: the incident or rule that it replays.
        world: a world file, relative to this file; "" for the default world.
        start_url: the URL at which the app starts an install.
        steps: the steps, in their order.
    """

    title: str
    about: str = ""
    world: str = ""
    start_url: str = ""
    steps: list[AnyStep]


def name_of(step: Step) -> str:
    """Return the name of a step, as it stands behind `do`."""
    return str(step.__struct_config__.tag)
