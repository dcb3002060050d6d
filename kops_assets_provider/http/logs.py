"""What libraries may not log, at whatever level: a pre-signed URL's query is a credential."""

from __future__ import annotations

import logging
import re

_USER_INFO = re.compile(r"//[^/@\s]*@")
_SIGNED = ("Signature:", "StringToSign:", "CanonicalRequest:")


def keep_secrets_out() -> None:
    """Filter the loggers that tell of requests; may be called any number of times."""
    # At level DEBUG urllib3 logs whole URLs, and botocore what a pre-signed one is made of; at
    # WARNING urllib3 logs the URL that was answered with headers that are none.
    for name in ("urllib3.connectionpool", "urllib3.connection"):
        logging.getLogger(name).addFilter(_shortened)
    logging.getLogger("botocore.auth").addFilter(_unsigned)


def _shortened(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(_short(x) if isinstance(x, str) else x for x in record.args)
    return True


def _short(text: str) -> str:
    head, asked, _ = text.partition("?")
    return _USER_INFO.sub("//", head) + ("?…" if asked else "")


def _unsigned(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SIGNED)
