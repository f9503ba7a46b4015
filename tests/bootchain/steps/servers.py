"""Servers on the loopback that behave as badly as real ones."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from waiting import DEADLINE_S, POLL_S


@dataclass
class Site:
    """What a server has, how it behaves, and what it was asked.

    Attributes:
        files: path -> content.
        cuts: after how many bytes it hangs up, request by request; whole answers when they are used up.
        length: whether it says how much comes.
        silent_until: where it cuts, it keeps silent until this is true, before it hangs up.
        status: answered instead of any file.
        redirect: path -> URL.
        ranges: whether it can go on in the middle of a file.
        requests: (path, first byte asked for).
    """

    files: dict[str, bytes]
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    length: bool = True
    silent_until: Callable[[], bool] | None = None
    status: int = 0
    redirect: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    url: str = ""


@contextmanager
def http(site: Site, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serve a site over HTTP(S); its ``url`` has no slash at the end."""

    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            path = self.path.partition("?")[0]
            asked = self.headers.get("Range", "")
            first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and site.ranges else 0
            site.requests.append((self.path, int(asked[6:].partition("-")[0]) if asked else 0))
            data = site.files.get(path)
            if path in site.redirect:
                self.send_response(302)
                self.send_header("Location", site.redirect[path])
                self.end_headers()
                return
            if data is None or site.status:
                self.send_error(site.status or 404)
                return
            if asked and site.ranges and first >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if first else 200)
            if site.length:
                self.send_header("Content-Length", str(len(data) - first))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            cut = site.cuts.pop(0) if site.cuts else len(data)
            self.wfile.write(data[first : first + cut])
            if site.silent_until and cut < len(data) - first:
                while not site.silent_until() and not over.wait(POLL_S):
                    pass

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        # No handshake while accepting: a client that refuses us must not end the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    site.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def ftp(site: Site) -> Iterator[Site]:
    """Serve a site over FTP (RFC 959 and the extensions that clients ask for)."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=_ftp_session, args=(site, connection)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    site.url = f"ftp://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield site
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *threads):
            thread.join(DEADLINE_S)


def _ftp_session(site: Site, connection: socket.socket) -> None:
    rest, directory = 0, ""
    passive: socket.socket | None = None
    with connection, connection.makefile("rwb", buffering=0) as stream:
        connection.settimeout(DEADLINE_S)

        def say(text: str) -> None:
            stream.write(f"{text}\r\n".encode())

        def find(name: str) -> bytes | None:
            return site.files.get(f"{directory}/{name}" if not name.startswith("/") else name)

        say("220 ready")
        for line in stream:
            verb, _, value = line.decode().strip().partition(" ")
            if verb in ("EPSV", "PASV"):
                passive = socket.create_server(("127.0.0.1", 0))
                port = passive.getsockname()[1]
                pasv = f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})."
                say(pasv if verb == "PASV" else f"229 Entering Extended Passive Mode (|||{port}|)")
            elif verb == "SIZE":
                data = find(value)
                say(f"213 {len(data)}" if data is not None else "550 no such file")
            elif verb == "REST":
                rest = int(value)
                say("350 going on there")
            elif verb == "RETR" and passive is not None:
                data = find(value)
                site.requests.append((value, rest))
                if data is None:
                    say("550 no such file")
                    continue
                say("150 coming")
                cut = site.cuts.pop(0) if site.cuts else len(data)
                with passive, passive.accept()[0] as channel:
                    channel.sendall(data[rest : rest + cut])
                whole = rest + cut >= len(data)
                say("226 done" if whole else "426 aborted")
                rest = 0
            elif verb == "CWD":
                directory = value.rstrip("/") if value.startswith("/") else f"{directory}/{value}"
                say("250 there")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                replies = {"USER": "331 password", "PASS": "230 in", "TYPE": "200 fine", "PWD": '257 "/"'}
                say(replies.get(verb, "502 not known"))
