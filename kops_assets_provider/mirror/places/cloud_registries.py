"""
What the registries of Amazon and Google need: logins that end, and in ECR repositories.

Whoever has the rights gives a boto3 client or Google credentials: Airflow's connections
(``hooks/cloud_logins.py``), or the SDKs' default chains, which the command uses.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
)
from kops_assets_provider.http.urls import printable
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.places.docker_config import DockerConfig
from kops_assets_provider.mirror.places.registries import RegistryEndpoint, default_url
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.profile import GENERIC, Profile

log = get_logger(__name__)

# 123456789012.dkr.ecr.eu-west-1.amazonaws.com, also -fips, China's .com.cn, and the dual stack's
# 123456789012.dkr-ecr.eu-west-1.on.aws
ECR_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
)
_GOOGLE = re.compile(r"(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev")
_NONE_FOUND = "default credentials were not found"  # in google-auth's words
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# A token is new when we get it: one said to have ended comes from an imitation, or our clock is
# wrong. It is used for a while then, and not renewed at each request.
_SHORTEST_LIFE = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EcrRepositories:
    """
    How repositories are made in ECR; the words are those of ``CreateRepository`` in its API.

    Nothing in them expires unless ``lifecycle_policy``, a text in JSON, says so: kOps pins digests,
    so a manifest without a tag may be what nodes pull.
    """

    image_tag_mutability: str = "MUTABLE"
    scan_on_push: bool = False
    encryption_type: str = "AES256"
    kms_key: str | None = None
    lifecycle_policy: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> str:
        """The rights that it takes."""
        more = {"ecr:TagResource": self.tags, "ecr:PutLifecyclePolicy": self.lifecycle_policy}
        return ", ".join(["ecr:CreateRepository", *(x for x, wanted in more.items() if wanted)])

    def request(self) -> dict[str, Any]:
        """Return the parameters of ``create_repository``."""
        encryption = {"encryptionType": self.encryption_type}
        if self.kms_key:
            encryption["kmsKey"] = self.kms_key
        return {
            "imageTagMutability": self.image_tag_mutability,
            "imageScanningConfiguration": {"scanOnPush": self.scan_on_push},
            "encryptionConfiguration": encryption,
            "tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }


class Ecr:
    """
    A private registry in ECR; safe to share between threads.

    :param client: makes a boto3 client for ECR; it is kept.
    :param name: whose credentials it has, for messages.
    """

    def __init__(self, account: str, region: str, client: Callable[[], Any], name: str) -> None:
        self._account = account
        self._client = cache(client)
        self._name = name
        self._where = f"the ECR of account {account} in {region}"
        self._lock = threading.Lock()
        self._made: set[str] = set()

    @classmethod
    def at(cls, host: str, client: Callable[[str], Any], name: str) -> Ecr | None:
        """Return the registry at a host, None if it is none; ``client`` is told the region."""
        found = ECR_HOST.fullmatch(host)
        if found is None:
            return None
        return cls(found["account"], found["region"], partial(client, found["region"]), name)

    def login(self) -> Login | None:
        """Ask for a token. Without any AWS credentials the registry is spoken to anonymously."""
        from botocore.exceptions import NoCredentialsError

        with self._told("gives no token", "ecr:GetAuthorizationToken"):
            try:
                found = self._client().get_authorization_token(registryIds=[self._account])
            except NoCredentialsError:
                log.info("no AWS credentials, so %s is spoken to anonymously", self._where)
                return None
        token = found["authorizationData"][0]
        username, _, password = (
            base64.b64decode(token["authorizationToken"]).decode().partition(":")
        )
        ends = _by_our_clock(token["expiresAt"])
        return Login(
            username=username,
            password=password,
            name=self._name,
            expires_at=ends,
            renew=self._renew,
        )

    def profile(self, repositories: EcrRepositories | None) -> Profile:
        """Return how to push to it; without ``repositories`` none is made that is missing."""
        create = partial(self._create, repositories) if repositories else self._refuse
        return Profile(mounts_published=True, create_repository=create)

    def _renew(self) -> Login:
        if login := self.login():
            return login
        raise AccessDeniedError(f"{self._where} gives no token: {self._name} has ended")

    def _create(self, options: EcrRepositories, repository: str) -> None:
        # The blobs of an image find out together that their repository is missing.
        with self._lock:
            if repository in self._made:
                return
            with self._told(f"makes no repository {repository}", options.needs, Side.TARGET):
                self._ask_for(options, {"registryId": self._account, "repositoryName": repository})
            self._made.add(repository)

    def _ask_for(self, options: EcrRepositories, names: Mapping[str, str]) -> None:
        client = self._client()
        try:
            client.create_repository(**names, **options.request())
        except client.exceptions.RepositoryAlreadyExistsException:
            return
        log.info("made the repository %s in %s", names["repositoryName"], self._where)
        if options.lifecycle_policy:
            client.put_lifecycle_policy(**names, lifecyclePolicyText=options.lifecycle_policy)

    def _refuse(self, repository: str) -> NoReturn:
        advice = "make it, or set ecr_repositories ({} for the defaults) to have it made"
        message = f"{self._where} has no repository {repository}; {advice}"
        raise NotFoundError(message, side=Side.TARGET)

    @contextmanager
    def _told(self, what: str, needs: str, side: Side | None = None) -> Iterator[None]:
        """Tell what boto3 raises as one of our errors; without its words, but for wrong values."""
        from botocore import exceptions as boto

        lost = (boto.ConnectionError, boto.HTTPClientError, boto.MetadataRetrievalError)
        message = f"{self._where} {what}"
        try:
            yield
        except KopsAssetsError:
            raise
        except boto.ClientError as err:
            raise _answered(err, message, f"{self._name} needs {needs}", side) from err
        except lost as err:
            why = f"it cannot be reached: {type(err).__name__}"
            raise ConnectionFailedError(f"{message}: {why}", side=side) from err
        # Without their causes: boto3 quotes what a credential helper said, and endpoints.
        except boto.BotoCoreError as err:
            why = f"{type(err).__name__}; see {self._name}"
            raise AccessDeniedError(f"{message}: {why}", side=side) from None
        except ValueError:
            problem = "a setting, such as the endpoint, has a value that boto3 refuses"
            raise InvalidInputError(self._name, [problem]) from None


def _answered(err: Any, message: str, needs: str, side: Side | None) -> KopsAssetsError:
    """Return the error for a refusal; only one of a value is told in Amazon's words."""
    error, answer = err.response.get("Error", {}), err.response.get("ResponseMetadata", {})
    code = str(error.get("Code") or "an error")
    message = f"{message}: {err.operation_name} answered {code}"
    if "Throttl" in code or code in ("TooManyRequestsException", "RequestLimitExceeded"):
        return RateLimitedError(message, side=side)
    if answer.get("HTTPStatusCode", 0) >= 500:
        return ServerFailedError(message, side=side)
    if err.operation_name.startswith("AssumeRole"):
        return AccessDeniedError(f"{message}: the role's trust policy must allow it", side=side)
    if side and "Denied" not in code:
        why = printable(str(error.get("Message", "")))[:200]
        return RequestRejectedError(f"{message}: {why}", side=side)
    return AccessDeniedError(f"{message}; {needs}", side=side)


def google_login(credentials: Callable[[], Any], name: str) -> Login | None:
    """
    Return the login for Google's registries; None without any credentials.

    :param credentials: gives ``google.auth`` credentials; None if there are none.
    """
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError

    try:
        found = credentials()
    except KopsAssetsError:
        raise
    except (DefaultCredentialsError, OSError, ValueError) as err:
        # What is there and damaged is not taken for none. A parser's own words may quote a key.
        if _NONE_FOUND not in str(err):
            problem = f"its key cannot be used: {type(err).__name__}"
            raise InvalidInputError(name, [problem]) from None
        found = None
    if found is None or isinstance(found, AnonymousCredentials):
        log.info("no Google credentials, so Google's registries are spoken to anonymously")
        return None
    return _google_login(found, name)


def _google_login(credentials: Any, name: str) -> Login:
    from google.auth.exceptions import RefreshError, TransportError
    from google.auth.transport.requests import Request

    try:
        credentials.refresh(Request())
    except TransportError as err:
        raise ConnectionFailedError(f"Google's token server cannot be reached: {name}") from err
    except RefreshError as err:
        if err.retryable or isinstance(err.__cause__, TransportError):
            raise ServerFailedError(f"Google's token server failed: {name}") from err
        raise AccessDeniedError(f"Google gives no token for {name}: see its key") from err
    renew = partial(_google_login, credentials, name)
    ends = _by_our_clock(credentials.expiry.replace(tzinfo=UTC)) if credentials.expiry else None
    # https://cloud.google.com/artifact-registry/docs/docker/authentication#token
    return Login(
        username="oauth2accesstoken",
        password=credentials.token,
        name=name,
        expires_at=ends,
        renew=renew,
    )


def is_google(host: str) -> bool:
    """Tell whether a host is one of Google's registries."""
    return _GOOGLE.fullmatch(host) is not None


def _by_our_clock(ends: datetime) -> float:
    life = (ends - datetime.now(UTC)).total_seconds()
    return time.monotonic() + max(life, _SHORTEST_LIFE)


def default_endpoints(
    registry_config: str | Path | None = None,
    ecr_repositories: EcrRepositories | None = None,
) -> Callable[[str], RegistryEndpoint]:
    """
    Return what tells how to reach a registry without Airflow, for ``Registries``.

    Docker's configuration goes first, then boto3's and Google's default credentials for the
    registries of those; all others are spoken to anonymously.

    :param registry_config: a file in the form of Docker's ``config.json``; by default Docker's own.
    :raises InvalidInputError: the file is not there, or not one.
    """
    config = DockerConfig.load(registry_config)

    def endpoint(host: str) -> RegistryEndpoint:
        login = config.login(host)
        ecr = Ecr.at(host, _default_ecr_client, "the default AWS credentials")
        if ecr and login is None:
            login = ecr.login()
        elif login is None and is_google(host):
            login = google_login(default_google, "Google's default credentials")
        profile = ecr.profile(ecr_repositories) if ecr else GENERIC
        return RegistryEndpoint(url=default_url(host), login=login, profile=profile)

    return endpoint


def _default_ecr_client(region: str) -> Any:
    import boto3

    return boto3.Session().client("ecr", region_name=region)


def default_google() -> Any:
    """Return Google's default credentials; raises what ``google.auth`` does if there are none."""
    import google.auth

    return google.auth.default(scopes=[_SCOPE])[0]
