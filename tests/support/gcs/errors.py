"""Refusals in JSON: https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes."""

from __future__ import annotations

from tests.support.messages import Response
from tests.support.refused import RefusedError
from tests.support.registry.errors import json_response


class JsonError(RefusedError):
    """A request is refused: HTTP status, Google's reason for it, a sentence."""

    def response(self) -> Response:
        """Return the answer to send."""
        detail = {"message": self.message, "domain": "global", "reason": self.code}
        error = {"code": self.status, "message": self.message, "errors": [detail]}
        return json_response({"error": error}, self.status)


def invalid(message: str) -> JsonError:
    """Return the refusal of a request that makes no sense."""
    return JsonError(400, "invalid", message)


def not_implemented(what: str) -> JsonError:
    """Return the refusal of what this server cannot do, so that nobody believes that it did it."""
    return JsonError(501, "notImplemented", f"{what} is not implemented")
