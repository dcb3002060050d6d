"""
What may be logged: by the package's own loggers, and by those of the libraries that it uses.

Whatever our own write has been through ``redaction.clean``.

The text of a message is ours; its arguments may come from outside, and so may the words of an
unexpected error. Each argument ends up in the line that it belongs to, and in no line of its own.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import Any

from kops_assets_provider.redaction import clean, clean_lines

_USER_INFO = re.compile(r"//[^/@\s]*@")
# At level DEBUG they log requests and answers as a whole: session tokens, what a request is signed
# with, and the keys that a role gets.
_WHOLE = ("botocore.auth", "botocore.endpoint", "botocore.parsers", "botocore.utils")


class CleanLogger(logging.LoggerAdapter[logging.Logger]):
    """Cleans the arguments of each message, and the traceback that goes with it."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a message; ``exc_info`` is written as text."""
        if not self.isEnabledFor(level):
            return
        if error := kwargs.pop("exc_info", None):
            msg, args = f"{msg}\n%s", (*args, _Lines(_traceback(error)))
        kwargs.setdefault("stacklevel", 2)  # the caller, and not this
        super().log(level, msg, *map(_cleaned, args), **kwargs)

    def lines(self, level: int, *texts: str) -> None:
        """Write texts of several lines, such as tables, as one message."""
        self.log(level, "%s", _Lines("\n".join(texts)), stacklevel=3)


class _Lines(str):
    """A text whose line breaks are our own."""

    __slots__ = ()


def get_logger(name: str) -> CleanLogger:
    """Return the logger of a module."""
    return CleanLogger(logging.getLogger(name), {})


def format_error(error: BaseException) -> str:
    """Return the traceback of an error, and of those that led to it, as it may be shown."""
    return clean_lines("".join(traceback.format_exception(error)).rstrip())


def _traceback(error: Any) -> str:
    if isinstance(error, BaseException):
        found: BaseException | None = error
    else:
        found = error[1] if isinstance(error, tuple) else sys.exception()
    return "" if found is None else "".join(traceback.format_exception(found)).rstrip()


def _cleaned(value: object) -> object:
    if isinstance(value, _Lines):
        return clean_lines(value)
    # Numbers stay, for formats such as %d.
    return value if isinstance(value, int | float) else clean(str(value))


def keep_secrets_out() -> None:
    """Filter the loggers that tell of requests; may be called any number of times."""
    # At level DEBUG urllib3 logs whole URLs, at WARNING one whose answer has invalid headers.
    for name in ("urllib3.connectionpool", "urllib3.connection"):
        logging.getLogger(name).addFilter(_shortened)
    for name in _WHOLE:
        logging.getLogger(name).addFilter(_without_details)


def _shortened(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(_short(x) if isinstance(x, str) else x for x in record.args)
    return True


def _short(text: str) -> str:
    head, asked, _ = text.partition("?")
    return _USER_INFO.sub("//", head) + ("?…" if asked else "")


def _without_details(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
