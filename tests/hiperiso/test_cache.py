"""Where a user keeps things; and a user who has no place for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hiperiso.cache import cache_root
from hiperiso.errors import UsageError
from hiperiso.session.directory import default_log_root

_NOBODYS_ID = 54321


def asked_as_nobody(ask: Callable[[], Path], **variables: str) -> str:
    """The result for a process of an unknown user, HOME unset: a path, or the error."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            os.setuid(_NOBODYS_ID)
            os.environ.clear()
            os.environ.update(variables)
            said = str(ask())
        except UsageError as error:
            said = f"{error.message}; {error.hint}"
        except BaseException as error:
            said = f"internal error: {error!r}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become an unknown user")
@pytest.mark.parametrize("ask", [cache_root, default_log_root])
def test_no_home_is_one_clear_line(ask: Callable[[], Path]) -> None:
    assert asked_as_nobody(ask).startswith("this user has no home directory: HOME is not set; set HOME")
    assert asked_as_nobody(ask, HOME="/home/x").startswith("/home/x/.")
    assert asked_as_nobody(ask, XDG_CACHE_HOME="/c", XDG_STATE_HOME="/s")[:3] in ("/c/", "/s/")
