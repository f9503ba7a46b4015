"""A web server on the loopback that can break off, with ranges and validators, and counts what it was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Web:
    """What is served by path, and what was asked for: the path and the Range of each request."""

    files: dict[str, bytes]
    ranges: bool = True
    validators: bool = True
    break_after: list[int] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def url(self, path: str) -> str:
        return f"{self.address}{path}"


@contextmanager
def served(**files: bytes) -> Iterator[Web]:
    web = Web({f"/{name.replace('__', '.')}": content for name, content in files.items()})

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            web.asked.append((self.path, wanted))
            content = web.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            etag = f'"{hashlib.sha256(content).hexdigest()[:12]}"'
            if web.validators and self.headers.get("If-None-Match") == etag:
                self.send_response(304)
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
            partial = bool(wanted) and web.ranges and self.headers.get("If-Range") == etag
            if partial and start >= len(content):
                self.send_error(416)
                return
            body = content[start:] if partial else content
            self.send_response(206 if partial else 200)
            if web.validators:
                self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: web.break_after.pop(0)] if web.break_after else body)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
