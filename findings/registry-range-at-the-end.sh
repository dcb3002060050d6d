#!/bin/sh
# A download that broke off after its last byte goes on with "Range: bytes=SIZE-". The registry answers
# 416, which is right, with "Content-Length: SIZE": the length of the whole blob, for an error whose
# body has no bytes at all. Expected: the length of the error's own body, which RFC 9110 (8.6) requires.
# A client that reads the error's body, to close it or to keep the connection, waits for gigabytes that
# do not come and sees a broken connection instead of a 416. It is then tempted to try again, for ever.
# docker-registry 2.8.2 of Debian 12; https://www.rfc-editor.org/rfc/rfc9110#section-8.6
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1
docker-registry --version
python3 - "$tmp" <<'PYTHON'
import http.client
import sys
from pathlib import Path

from expect import expect
from registry import digest, registry, write_config

blob = b"0123456789"
with registry(write_config(Path(sys.argv[1]))) as server:
    server.push_blob("image", blob)
    path = f"/v2/image/blobs/{digest(blob)}"
    expect("bytes=9-", server.send("GET", path, Range="bytes=9-").body, b"9")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path, headers={"Range": "bytes=10-"})
    answer = connection.getresponse()
    expect("bytes=10-", answer.status, 416)
    expect("its Content-Length", answer.headers["Content-Length"], "10")
    try:
        body = answer.read()
    except http.client.IncompleteRead as err:
        body = repr(err)
    expect("its body", body, "IncompleteRead(0 bytes read, 10 more expected)")
PYTHON
