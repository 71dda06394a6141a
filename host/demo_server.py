# SPDX-License-Identifier: Apache-2.0
"""The server of `cimple demo`: one page and two addresses for programs, on this computer only.

Answers are JSON but for the page. An error is an object with one key, `error`.
"""

import json
import math
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from ..hdl.errors import CimpleError
from .demo import FULL_SCALE, Classifier
from .drawing import SIDE, Strokes, digit_image

__all__ = ["ADDRESS", "DemoServer", "RequestError"]

#: Paths, and the method that each takes.
_PATHS = {"/": "GET", "/api/status": "GET", "/api/classify": "POST"}

#: Nobody else can reach it.
ADDRESS = "127.0.0.1"

_NAMES = (ADDRESS, "localhost")
#: Bytes of a request, and points of a drawing: some hundred times what a hand draws.
_MOST_BYTES, _MOST_POINTS = 1 << 20, 20_000
_FARTHEST = 1e6
#: Seconds that a browser may take to send what it announced.
_PATIENCE = 10
#: The page brings everything with it and speaks to nobody but this server.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)


class RequestError(CimpleError):
    """A request that is not as it should be, with the status of the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class DemoServer(ThreadingHTTPServer):
    """Listens on a port of this computer, 0 for a free one.

    Parameters
    ----------
    port : int
        From 0 to 65535.
    classifier : Classifier
        What answers; it is not closed here.
    page : str
        The HTML page.
    about : dict
        What programs are told of network and NPU.
    """

    #: Ctrl-C waits for no request.
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, port: int, classifier: Classifier, page: str, about: dict[str, Any]
    ) -> None:
        self.classifier, self.page, self.about = classifier, page, about
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise CimpleError(
                f"port {port} of {ADDRESS} cannot be opened: {error.strerror or error}; choose "
                "another with --port, or 0 for any that is free"
            ) from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news."""

    def status(self) -> dict[str, Any]:
        """What `/api/status` tells."""
        classifier = self.classifier
        return {
            **self.about, "devices": list(classifier.devices), "device": classifier.first,
            "busy": classifier.busy,
        }


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server_version, sys_version = "Cimple", ""

    def _answer(self) -> None:
        try:
            path = urlsplit(self.path).path
            self._check(path)
            if path == "/":
                self._send(HTTPStatus.OK, self._demo.page.encode(), "text/html; charset=utf-8")
            elif path == "/api/status":
                self._send_json(HTTPStatus.OK, self._demo.status())
            else:
                image, device = self._drawing()
                reading = self._demo.classifier.classify(image, device)
                self._send_json(HTTPStatus.OK, reading.to_json())
        except RequestError as error:
            self._send_json(error.status, {"error": str(error)})
        except CimpleError as error:
            self._send_json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})

    def __getattr__(self, name: str) -> Any:
        """The method of every request, known or not, is checked here."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    @property
    def _demo(self) -> DemoServer:
        assert isinstance(self.server, DemoServer)
        return self.server

    def _check(self, path: str) -> None:
        """Path, method, and that the page asks that came from here."""
        host = urlsplit(f"//{self.headers.get('Host', ADDRESS)}").hostname
        if host not in _NAMES:
            raise RequestError(
                HTTPStatus.FORBIDDEN, f"Host must be {' or '.join(_NAMES)}, not {host}"
            )
        wanted = _PATHS.get(path)
        if wanted is None:
            raise RequestError(
                HTTPStatus.NOT_FOUND,
                f"there is no {path[:80]}; there are {', '.join(_PATHS)}",
            )
        if self.command != wanted:
            raise RequestError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {wanted}, not {self.command}"
            )

    def _drawing(self) -> tuple[NDArray[np.int64], str]:
        """The image that is asked about, and the device to ask."""
        request = _parse(self._body())
        device = request.pop("device", self._demo.classifier.first)
        if not isinstance(device, str) or device not in self._demo.classifier.devices:
            devices = ", ".join(self._demo.classifier.devices)
            raise _bad(f"device must be one of {devices}, not {_shown(device)}")
        if len(request) != 1 or not request.keys() <= {"strokes", "pixels"}:
            keys = ", ".join(sorted(map(_shown, request))) or "neither"
            raise _bad(f"besides device there must be strokes or pixels, not {keys}")
        if "pixels" in request:
            return _pixels(request["pixels"]), device
        return digit_image(_strokes(request["strokes"])), device

    def _body(self) -> bytes:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise RequestError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Type must be application/json, not {_shown(kind)}",
            )
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if size < 0:
            raise RequestError(
                HTTPStatus.LENGTH_REQUIRED, "Content-Length must say how many bytes follow"
            )
        if size > _MOST_BYTES:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a request may have {_MOST_BYTES:,} bytes, not {size:,}",
            )
        try:
            body = self.rfile.read(size)
        except TimeoutError:
            body = b""
        if len(body) < size:
            raise RequestError(
                HTTPStatus.REQUEST_TIMEOUT, f"fewer bytes came than the {size:,} announced"
            )
        return body

    def _send_json(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", _PATHS[urlsplit(self.path).path])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """What is no request of HTTP at all."""
        status = HTTPStatus(code)
        self.close_connection = True
        # The version is not known where the first line is not; without one no headers are sent.
        self.request_version = self.protocol_version
        self.command = getattr(self, "command", "") or ""
        self._send_json(status, {"error": message or status.phrase})

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal is for what the user must know."""


def _bad(message: str) -> RequestError:
    return RequestError(HTTPStatus.BAD_REQUEST, message)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("the request must be JSON; it is not, or is cut short") from None
    if not isinstance(request, dict):
        raise _bad("the request must be a JSON object with strokes or pixels")
    return request


def _pixels(values: Any) -> NDArray[np.int64]:
    count = SIDE * SIDE
    if not isinstance(values, list) or len(values) != count:
        raise _bad(f"pixels must be a list of {count} numbers, row by row")
    for place, value in enumerate(values):
        if type(value) is not int or not 0 <= value <= FULL_SCALE:
            raise _bad(
                f"pixels[{place}] must be a whole number from 0 to {FULL_SCALE}, not "
                f"{_shown(value)}"
            )
    return np.array(values, np.int64).reshape(SIDE, SIDE)


def _strokes(values: Any) -> Strokes:
    if not isinstance(values, list) or not all(isinstance(stroke, list) for stroke in values):
        raise _bad("strokes must be a list of lists of points [x, y]")
    count = sum(len(stroke) for stroke in values)
    if not 1 <= count <= _MOST_POINTS:
        raise _bad(f"strokes must have 1 to {_MOST_POINTS:,} points, not {count:,}")
    for number, stroke in enumerate(values):
        for place, point in enumerate(stroke):
            if not isinstance(point, list) or len(point) != 2 or not all(map(_is_place, point)):
                raise _bad(
                    f"strokes[{number}][{place}] must be [x, y], numbers from {-_FARTHEST:,.0f} to "
                    f"{_FARTHEST:,.0f}, not {_shown(point)}"
                )
    return values


def _is_place(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= _FARTHEST


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
