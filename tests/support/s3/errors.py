"""Refusals in XML, as S3 gives them, and Google Cloud Storage where it is spoken to likewise."""

from __future__ import annotations

import html
import re

from tests.support.messages import Response
from tests.support.refused import RefusedError

_CONTROL = re.compile(r"[\x01-\x1f]")


class XmlError(RefusedError):
    """A request is refused: HTTP status, S3's code for it, a sentence."""

    def response(self, method: str) -> Response:
        """Return the answer to a request with that method; to HEAD it has no body, so no code."""
        headers = {"Content-Type": "application/xml", **self.headers}
        if method == "HEAD":
            return Response(self.status, headers)
        told = element("Code", self.code) + element("Message", self.message)
        return Response(self.status, headers, document(f"<Error>{told}</Error>"))


def not_implemented(what: str) -> XmlError:
    """Return the refusal of what this server cannot do, so that nobody believes that it did it."""
    return XmlError(501, "NotImplemented", f"{what} is not implemented")


def access_denied() -> XmlError:
    """Return the refusal that says no more than that."""
    return XmlError(403, "AccessDenied", "Access Denied")


def document(root: str) -> bytes:
    """Return an XML document."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}'.encode()


def element(name: str, value: object) -> str:
    """Return an element with some text in it."""
    # S3 sends control characters by number, though XML 1.0 has no such characters.
    text = _CONTROL.sub(lambda found: f"&#x{ord(found[0]):x};", html.escape(str(value)))
    return f"<{name}>{text}</{name}>"
