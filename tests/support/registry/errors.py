"""A registry's refusals, and their JSON (OCI Distribution Spec v1.1.1, section "Error Codes")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.messages import Response
from tests.support.refused import RefusedError


class RegistryError(RefusedError):
    """A request is refused: HTTP status, error code of the spec, a sentence."""

    def response(self) -> Response:
        """Return the answer to send."""
        errors = {"errors": [{"code": self.code, "message": self.message}]}
        return json_response(errors, self.status, self.headers)


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response that carries JSON."""
    content_type = {"Content-Type": "application/json"}
    return Response(status, {**content_type, **(headers or {})}, json.dumps(value).encode())
