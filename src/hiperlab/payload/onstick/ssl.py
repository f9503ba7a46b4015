"""Placeholder names: nothing on a stick uses TLS, and OpenSSL costs five megabytes and a tenth of a second."""


class SSLError(OSError):
    """TLS is not available."""


class SSLWantReadError(SSLError):
    """Never raised."""


class SSLSyscallError(SSLError):
    """Never raised."""


class SSLSocket:
    """Never instantiated; asyncio tests for it before it connects."""


class SSLContext:
    """Not available."""

    def __init__(self, *_: object) -> None:
        raise SSLError("TLS is not available on a stick")
