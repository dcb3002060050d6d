"""A stand-in for Airflow: the page under its policy, in Airflow's frame, and an API."""

from __future__ import annotations

import json
from pathlib import Path

import kops_assets_provider.ui
from kops_assets_provider.ui.headers import HEADERS
from tests.support.http_server import HttpServer
from tests.support.messages import Response

STATIC = Path(kops_assets_provider.ui.__file__).with_name("static")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# As Airflow 3.3 shows an external view.
SANDBOX = "allow-scripts allow-same-origin allow-forms allow-downloads"
FRAME = """<!doctype html><html class="light"><head><base href="/team/"></head><body>
<iframe title="kOps assets" src="kops-assets/{query}" sandbox="{sandbox}"
 style="width: 100%; height: 90vh"></iframe></body></html>"""


class StandIn(HttpServer):
    """
    Airflow below ``/team``.

    :param values: what ``mirrors`` answers; a number is a status.
    """

    def __init__(self, values):
        super().__init__()
        self.values = values
        self.asked, self.posted = [], []
        self.conf, self.params, self.paused = {"cluster_name": "c"}, {"dry_run": {}}, False
        self.refusal = None

    @property
    def home(self):
        return f"{self.url}/team/kops-assets/"

    def answer(self, request):
        path = request.path.removeprefix("/team")
        if path == "/frame":
            text = FRAME.format(sandbox=SANDBOX, query=f"?{request.query}" * bool(request.query))
            return Response(200, {"Content-Type": "text/html"}, text.encode())
        if path.startswith("/api/v2/"):
            return self.api(request, path)
        if path == "/kops-assets/mirrors":
            self.asked.append(request.query)
            return told(self.values)
        if path.startswith("/dags/"):
            return Response(200, {"Content-Type": "text/html"}, b"<title>Airflow</title>")
        return file_of_page(path)

    def api(self, request, path):
        if request.method == "POST":
            body = json.loads(request.body.read())
            self.posted.append((path, request.headers["Content-Type"], body))
            return told(self.refusal or {"dag_run_id": "manual__2026-11-26T08:00:00+00:00"})
        if path.endswith("/details"):
            return told({"params": self.params, "is_paused": self.paused})
        return told({"conf": self.conf} if "/dagRuns/" in path else 404)


def told(values):
    status, body = (
        (values, {"detail": f"status {values}"}) if isinstance(values, int) else (200, values)
    )
    if isinstance(values, tuple):
        status, body = values
    return Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def file_of_page(path):
    name = path.removeprefix("/kops-assets/").removeprefix("static/") or "page.html"
    file = STATIC / name
    if not file.is_file():
        return Response(404)
    headers = {**HEADERS, "Content-Type": f"{TYPES[file.suffix]}; charset=utf-8"}
    return Response(200, headers, file.read_bytes())
