"""What our fake registry can do beyond the spec: authentication, quirks, restarts, faults."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError

import pytest

from tests.support.access_log import read_access_log
from tests.support.images import ImageKind, make_image, push_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import (
    BasicAuth,
    OciRegistryServer,
    Quirks,
    TokenAuth,
)
from tests.support.registry.storage import digest_of

IMAGE = make_image("app")
SMALL = make_image("small", kind=ImageKind.OCI_MANIFEST)
LOGIN = "Basic " + base64.b64encode(b"user:secret").decode()


def send(method, url, headers=None, data=None):
    """Return status, headers and body, also of an error."""
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.headers, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def error_of(answer):
    status, _, body = answer
    return status, json.loads(body)["errors"][0]["code"]


def token_of(server, scope, login=None):
    headers = {"Authorization": login} if login else {}
    status, _, body = send("GET", f"{server.url}/token?service=x&scope={scope}", headers)
    assert status == 200
    return f"Bearer {json.loads(body)['token']}"


def test_put_image_is_there_without_a_request(registry):
    """An image can be put into the storage, and be pulled."""
    put_image(registry, "team/app:1", IMAGE)
    assert registry.count() == 0
    status, _, body = send("GET", f"{registry.url}/v2/team/app/manifests/1", {"Accept": "*/*"})
    assert (status, body) == (200, IMAGE.top.data)
    for digest, blob in IMAGE.blobs.items():
        assert send("GET", f"{registry.url}/v2/team/app/blobs/{digest}")[2] == blob


def test_basic_auth():
    """Without the right credentials everything is 401, with a challenge."""
    with OciRegistryServer(auth=BasicAuth("user", "secret")) as server:
        put_image(server, "app:1", SMALL)
        answer = send("GET", f"{server.url}/v2/app/manifests/1")
        assert error_of(answer) == (401, "UNAUTHORIZED")
        assert answer[1]["WWW-Authenticate"].startswith("Basic realm=")
        wrong = base64.b64encode(b"user:wrong").decode()
        assert send("GET", f"{server.url}/v2/", {"Authorization": f"Basic {wrong}"})[0] == 401
        assert send("GET", f"{server.url}/v2/", {"Authorization": LOGIN})[0] == 200
        push_image(server.url, "app", "2", IMAGE, ("user", "secret"))


def test_token_challenge_names_realm_and_scope():
    """The challenge says where to get which token."""
    with OciRegistryServer(auth=TokenAuth("user", "secret", service="me")) as server:
        _, headers, _ = send("POST", f"{server.url}/v2/app/blobs/uploads/?mount=x&from=base")
        assert headers["WWW-Authenticate"] == (
            f'Bearer realm="{server.url}/token",service="me",'
            'scope="repository:app:pull,push repository:base:pull"'
        )


def test_token_is_good_for_its_scope_only():
    """A token opens its repository for its actions, and nothing else."""
    with OciRegistryServer(auth=TokenAuth("user", "secret")) as server:
        put_image(server, "app:1", SMALL)
        put_image(server, "other:1", SMALL)
        headers = {"Authorization": token_of(server, "repository:app:pull,push"), "Accept": "*/*"}
        assert send("GET", f"{server.url}/v2/app/manifests/1", headers)[0] == 200
        assert send("POST", f"{server.url}/v2/app/blobs/uploads/", headers)[0] == 401
        status, answer, _ = send("GET", f"{server.url}/v2/other/manifests/1", headers)
        assert status == 401
        assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
        headers["Authorization"] = token_of(server, "repository:app:pull,push", LOGIN)
        assert send("POST", f"{server.url}/v2/app/blobs/uploads/", headers)[0] == 202


def test_token_needs_right_credentials():
    """Wrong credentials get no token; without anonymous pull, nobody does."""
    wrong = "Basic " + base64.b64encode(b"user:wrong").decode()
    with OciRegistryServer(auth=TokenAuth("user", "secret", anonymous_pull=False)) as server:
        url = f"{server.url}/token?scope=repository:app:pull"
        assert send("GET", url, {"Authorization": wrong})[0] == 401
        assert send("GET", url)[0] == 401
        assert send("GET", url, {"Authorization": LOGIN})[0] == 200


@pytest.mark.parametrize("how", ["time", "revoked", "forged"])
def test_token_that_is_not_valid(how):
    """A token that is too old, revoked or forged is refused."""
    auth = TokenAuth("user", "secret", expires_in=0 if how == "time" else 300)
    with OciRegistryServer(auth=auth) as server:
        put_image(server, "app:1", SMALL)
        token = token_of(server, "repository:app:pull")
        if how == "revoked":
            auth.expire_all()
        if how == "forged":
            token = token[:-1] + ("0" if token[-1] != "0" else "1")
        assert send("GET", f"{server.url}/v2/app/manifests/1", {"Authorization": token})[0] == 401


def test_read_only():
    """A registry that is a cache answers pushes with 405 UNSUPPORTED, and pulls as ever."""
    with OciRegistryServer(quirks=Quirks(read_only=True)) as server:
        put_image(server, "app:1", SMALL)
        answer = send("POST", f"{server.url}/v2/app/blobs/uploads/")
        assert error_of(answer) == (405, "UNSUPPORTED")
        assert send("HEAD", f"{server.url}/v2/app/manifests/1", {"Accept": "*/*"})[0] == 200


def test_immutable_tags():
    """A tag that exists is not pushed again, not even to the same digest; others are."""
    with OciRegistryServer(quirks=Quirks(immutable_tags=True)) as server:
        push_image(server.url, "app", "1", SMALL)
        push_image(server.url, "app", "2", SMALL)
        headers = {"Content-Type": SMALL.top.media_type}
        answer = send("PUT", f"{server.url}/v2/app/manifests/1", headers, SMALL.top.data)
        assert error_of(answer) == (400, "TAG_INVALID")


def test_existing_repositories():
    """Pushing creates no repository if it must have been created before."""
    with OciRegistryServer(quirks=Quirks(require_existing_repositories=True)) as server:
        answer = send("POST", f"{server.url}/v2/app/blobs/uploads/")
        assert error_of(answer) == (404, "NAME_UNKNOWN")
        server.storage.create_repository("app")
        push_image(server.url, "app", "1", SMALL)


def test_digest_header_can_be_omitted():
    """Not every registry tells the digest."""
    with OciRegistryServer(quirks=Quirks(omit_digest_header=True)) as server:
        put_image(server, "app:1", SMALL)
        _, headers, _ = send("HEAD", f"{server.url}/v2/app/manifests/1", {"Accept": "*/*"})
        assert "Docker-Content-Digest" not in headers


def test_mount_may_need_a_manifest():
    """As on ECR, a blob can be mounted only once a manifest names it."""
    digest = next(iter(SMALL.blobs))
    query = f"?mount={digest}&from=app"
    with OciRegistryServer(quirks=Quirks(mount_needs_manifest=True)) as server:
        server.storage.put_blob("app", SMALL.blobs[digest])
        assert send("POST", f"{server.url}/v2/other/blobs/uploads/{query}")[0] == 202
        put_image(server, "app:1", SMALL)
        assert send("POST", f"{server.url}/v2/other/blobs/uploads/{query}")[0] == 201


def test_mounts_may_be_refused():
    """A registry without mounts begins an upload."""
    digest = next(iter(SMALL.blobs))
    with OciRegistryServer(quirks=Quirks(refuse_mounts=True)) as server:
        put_image(server, "app:1", SMALL)
        path = f"{server.url}/v2/other/blobs/uploads/?mount={digest}&from=app"
        assert send("POST", path)[0] == 202


def test_locations_may_be_whole_urls():
    """Both forms of Location are allowed."""
    with OciRegistryServer(quirks=Quirks(absolute_locations=True)) as server:
        _, headers, _ = send("POST", f"{server.url}/v2/app/blobs/uploads/")
        assert headers["Location"].startswith(f"{server.url}/v2/app/blobs/uploads/")


@pytest.mark.parametrize(
    ("quirks", "statuses"),
    [
        (Quirks(), [202, 202, 201]),
        (Quirks(patch_status=201), [201, 201, 201]),
        (Quirks(patch_overwrites=True), [202, 202, 400]),
        (Quirks(max_body_bytes=3), [413, 202, 400]),
    ],
)
def test_patches(quirks, statuses):
    """Registries differ in what they make of more than one PATCH."""
    with OciRegistryServer(quirks=quirks) as server:
        location = send("POST", f"{server.url}/v2/app/blobs/uploads/")[1]["Location"]
        url = server.url + location
        answers = [send("PATCH", url, data=data)[0] for data in (b"12345", b"678")]
        answers.append(send("PUT", f"{url}&digest={digest_of(b'12345678')}")[0])
        assert answers == statuses


def test_lost_answer_leaves_the_manifest(registry):
    """The tag is there although the client never heard of it: to try again is to find it done."""
    for blob in SMALL.blobs.values():
        registry.storage.put_blob("app", blob)
    registry.inject(Fault("PUT", "/manifests/", lose_answer=True))
    headers = {"Content-Type": SMALL.top.media_type}
    with pytest.raises(OSError, match="closed connection"):
        send("PUT", f"{registry.url}/v2/app/manifests/1", headers, SMALL.top.data)
    assert registry.storage.find_tag("app", "1") == SMALL.digest


def test_content_survives_a_restart(tmp_path):
    """With a root, the content is there again, and unfinished uploads are not."""
    with OciRegistryServer(root=tmp_path) as server:
        push_image(server.url, "team/app", "1", IMAGE)
        upload = send("POST", f"{server.url}/v2/team/app/blobs/uploads/")[1]["Location"]
    with OciRegistryServer(root=tmp_path) as server:
        status, _, body = send("GET", f"{server.url}/v2/team/app/manifests/1", {"Accept": "*/*"})
        assert (status, body) == (200, IMAGE.top.data)
        assert send("GET", server.url + upload)[0] == 404
        assert server.storage.repositories() == ["team/app"]


def test_from_a_shell(tmp_path):
    """The module runs as a program: it tells its URL, logs requests, and ends on SIGTERM."""
    log = tmp_path / "access.log"
    command = [sys.executable, "-m", "tests.support.oci_registry"]
    command += ["--root", tmp_path / "data", "--read-only", "--access-log", log]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert send("GET", f"{url}/v2/")[0] == 200
            assert send("POST", f"{url}/v2/app/blobs/uploads/")[0] == 405
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    # Each connection writes its own lines, so that their order is not that of the requests.
    assert sorted((r.method, r.path, r.status) for r in read_access_log(log)) == [
        ("GET", "/v2/", 200),
        ("POST", "/v2/app/blobs/uploads/", 405),
    ]


@pytest.mark.component
@pytest.mark.parametrize("auth", [None, TokenAuth("user", "secret"), BasicAuth("user", "secret")])
def test_skopeo_copies_from_and_to_it(require, auth):
    """A client that others wrote copies an image with all platforms, and gets its digest."""
    skopeo = require("skopeo")
    with OciRegistryServer(auth=auth) as server:
        put_image(server, "app:1", IMAGE)
        command = [skopeo, "copy", "--all", "--quiet", "--src-tls-verify=false"]
        command += ["--dest-tls-verify=false"]
        if auth:
            command += ["--src-creds=user:secret", "--dest-creds=user:secret"]
        source, target = f"docker://{server.host}/app:1", f"docker://{server.host}/copy/app:2"
        subprocess.run([*command, source, target], check=True, timeout=60)
        assert server.storage.find_tag("copy/app", "2") == IMAGE.digest


def test_many_clients_at_once(registry):
    """Threads that push the same image all succeed, and the content is right."""
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        tasks = [
            pool.submit(push_image, registry.url, "app", str(number), IMAGE) for number in range(16)
        ]
        for task in tasks:
            task.result()
    assert time.monotonic() - started < 10
    assert len(registry.storage.tags("app")) == 16
    for digest, blob in IMAGE.blobs.items():
        assert registry.storage.blob_path(digest).read_bytes() == blob
