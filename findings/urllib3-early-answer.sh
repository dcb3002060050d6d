#!/bin/sh
# A server answers 201 when it has read the headers of an upload and closes the connection, which
# HTTP allows (RFC 9112, 9.6). urllib3 meets a broken pipe, reads the answer and returns it as if all
# had been sent: no error, no warning, and the generator that gave the body is never run to its end.
# Expected: an error, as Python's http.client gives, or a way to see that the body was not sent.
# A mirror that checks a hash while the body passes has then checked nothing, and says "copied".
# urllib3 2.8.0 and requests 2.32.5, which is built on it; https://www.rfc-editor.org/rfc/rfc9112#section-9.6
. "$(dirname "$0")/lib/start.sh"
pypi urllib3==2.8.0 requests==2.32.5
python3 - <<'PYTHON'
import http.client
import socket
import threading
import time
from contextlib import contextmanager

import requests
import urllib3

from expect import expect

CHUNKS, CHUNK = 64, b"x" * (1 << 20)
HEADERS = {"Content-Length": str(CHUNKS * len(CHUNK))}


@contextmanager
def early_server():
    """Answer one request after its headers."""

    def answer():
        connection = listener.accept()[0]
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


class Body:
    """Chunks, from a source that is slower than the server's answer."""

    def __init__(self):
        self.taken, self.ended = 0, False

    def __iter__(self):
        time.sleep(0.5)
        for self.taken in range(1, CHUNKS + 1):
            yield CHUNK
            time.sleep(0.1)
        self.ended = True


def put(name, send):
    body = Body()
    with early_server() as port:
        try:
            seen = send(port, body)
        except OSError as err:
            seen = type(err).__name__
    print(f"{name}: {body.taken} of {CHUNKS} chunks were taken")
    return seen, body.ended


def by_urllib3(port, body):
    url = f"http://127.0.0.1:{port}/"
    return urllib3.request("PUT", url, body=iter(body), headers=HEADERS, retries=False).status


def by_requests(port, body):
    return requests.put(f"http://127.0.0.1:{port}/", data=iter(body)).status_code


def by_http_client(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("PUT", "/", iter(body), HEADERS)
    return connection.getresponse().status


print("urllib3", urllib3.__version__, "requests", requests.__version__)
expect("urllib3: status, body ended", put("urllib3", by_urllib3), (201, False))
expect("requests: status, body ended", put("requests", by_requests), (201, False))
seen, ended = put("http.client", by_http_client)
expect("http.client raises", seen in ("BrokenPipeError", "ConnectionResetError"), True)
PYTHON
