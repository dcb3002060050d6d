"""
Canaries: secrets in every place where a user can put one, and a search through every output.

Each is played twice. With redaction switched off the canary must be found in the outputs that are
searched, or the test would prove nothing; with redaction on it must be in none.
"""

from __future__ import annotations

import base64
import logging
import traceback
from urllib.parse import quote

import pytest

from kops_assets_provider import redaction
from kops_assets_provider.cli import main
from tests.canaries.switch import FILTERED, switch_off


def spellings(canary):
    """Return the canary as it is, and as somebody may have encoded it."""
    raw = canary.encode()
    return {canary, quote(canary, ""), base64.b64encode(raw).decode().rstrip("="), raw.hex()}


def _around(text, secret):
    at = text.index(secret)
    return text[max(0, at - 100) : at + 100]


class Outputs:
    """Everything that may be seen of some work."""

    def __init__(self, texts):
        self.texts = texts

    def holding(self, secret):
        return sorted(name for name, text in self.texts.items() if secret in text)


class Records(logging.Handler):
    """Takes what all loggers write at all levels, with the tracebacks."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def everything_logged():
    """The log of all loggers at level DEBUG."""
    handler, root = Records(), logging.getLogger()
    loggers = [root, *(logging.getLogger(x) for x in ("urllib3", "botocore", "google", *FILTERED))]
    levels = [x.level for x in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def command(everything_logged, capsys, tmp_path, monkeypatch):
    """Return a function that runs the command and returns all outputs, and the status."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, written=()):
        capsys.readouterr()
        everything_logged.lines.clear()
        texts = {}
        try:
            status = main([str(x) for x in arguments])
        except SystemExit as err:
            status = err.code
        except Exception as err:  # noqa: BLE001
            status = 1
            texts["traceback"] = "".join(traceback.format_exception(err))
        texts["stdout"], texts["stderr"] = capsys.readouterr()
        texts["log"] = "\n".join(everything_logged.lines)
        for folder in written:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    texts[path.name] = path.read_text(errors="replace")
        return Outputs(texts), status

    return run


@pytest.fixture
def hidden():
    """
    Return a function that plays some work with redaction off and on, and compares what is seen.

    ``seen_in`` names the outputs in which the canary is found while it is off.
    """

    def play(canaries, work, seen_in=None):
        secrets = [canaries] if isinstance(canaries, str) else canaries
        with pytest.MonkeyPatch.context() as patch:
            switch_off(patch)
            leaky = work()
        for secret in secrets:
            found = set().union(*(leaky.holding(x) for x in spellings(secret)))
            assert found, f"{secret} is in none of {sorted(leaky.texts)}"
            assert found >= set(seen_in or ()), f"{secret} is only in {found}"
        redaction.forget_all()
        tight = work()
        for secret in secrets:
            for spelling in spellings(secret):
                shown = {x: _around(tight.texts[x], spelling) for x in tight.holding(spelling)}
                assert shown == {}
        return tight

    return play
