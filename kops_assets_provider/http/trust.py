"""Whom a connection trusts, and how it proves who we are: the options of TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.regular_files import open_regular


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """
    Files in PEM.

    :param ca_file: the authorities to trust; by default the system's, or SSL_CERT_FILE.
    :param client_cert: our own certificate, with those between it and its authority.
    :param client_key: its private key; not needed if that is in the same file.
    """

    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def context(self, *, with_certificate: bool) -> ssl.SSLContext:
        """
        Return a new context; raises InvalidInputError, naming the file that cannot be used.

        :param with_certificate: show our own certificate, if there is one, to who asks for it.
        """
        try:
            _check_files(self.ca_file)
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as err:
            raise _unusable(f"CA file {self.ca_file}", err) from err
        if self.client_key and not self.client_cert:
            problem = "there is no client_cert that it belongs to"
            raise InvalidInputError(f"client_key {self.client_key}", [problem])
        if self.client_cert and with_certificate:
            self._load(context, self.client_cert)
        return context

    def _load(self, context: ssl.SSLContext, client_cert: str) -> None:
        key = self.client_key or client_cert
        try:
            _check_files(client_cert, self.client_key)
            context.load_cert_chain(client_cert, self.client_key, password=_no_password)
        except ValueError as err:
            problem = "it is encrypted: give one without a password"
            raise InvalidInputError(f"client_key {key}", [problem]) from err
        except (OSError, ssl.SSLError) as err:
            where = f"client_cert {client_cert}"
            where += f" with client_key {self.client_key}" if self.client_key else ""
            raise _unusable(where, err) from err


def _check_files(*files: str | None) -> None:
    """Raise OSError unless these are regular files: OpenSSL would wait for a pipe's writer."""
    for file in filter(None, files):
        open_regular(file).close()


def _unusable(where: str, err: OSError) -> InvalidInputError:
    why = err.strerror or str(err)
    return InvalidInputError(where, [f"cannot be used: {why}"])


def _no_password() -> str:
    # Without this OpenSSL would ask for one at the terminal, and wait.
    raise ValueError
