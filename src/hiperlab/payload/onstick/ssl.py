"""Names only: nothing on a stick speaks TLS, and OpenSSL costs five megabytes and a tenth of a second."""


class SSLError(OSError):
    """There is no TLS."""


class SSLWantReadError(SSLError):
    """Never raised."""


class SSLSyscallError(SSLError):
    """Never raised."""


class SSLSocket:
    """No socket is one; asyncio asks before it connects."""


class SSLContext:
    """Cannot be had."""

    def __init__(self, *_: object) -> None:
        raise SSLError("there is no TLS on a stick")
