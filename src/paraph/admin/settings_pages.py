"""The settings page: the findings of `paraph doctor` about this service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest

if TYPE_CHECKING:
    from paraph.operations.findings.examination import Examination

Examine = Callable[[bool], Awaitable["Examination"]]


class SettingsPages:
    """The settings page. It shows no value of a secret.

    Args:
        examine: examines the running service; true includes Zoom and the public URL.
    """

    def __init__(self, examine: Examine) -> None:
        self._examine = examine

    async def show(self, request: OperatorRequest) -> Response:
        """Show what can be found without any connection to the outside."""
        return await self._page(request, network=False)

    async def check(self, request: OperatorRequest) -> Response:
        """Also ask Zoom for its time, and look at the public URL."""
        return await self._page(request, network=True)

    async def _page(self, request: OperatorRequest, *, network: bool) -> Response:
        return request.page("settings.html", found=await self._examine(network))
