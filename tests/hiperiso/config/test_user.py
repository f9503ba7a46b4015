"""A user's own defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.config.settings import Layer, environment_layer, resolve_settings
from hiperiso.config.user import user_config_path, user_layer, user_log_root
from hiperiso.errors import UsageError
from hiperiso.session.directory import default_log_root


def stored(tmp_path: Path, content: str | bytes) -> dict[str, str]:
    path = tmp_path / "hiperiso" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_defaults_are_below_all_else(tmp_path: Path) -> None:
    environ = stored(tmp_path, 'ram = "4G"\ncpus = 4\ncpu_features = ["vmx"]\n') | {
        "HIPERISO_GUEST_CPUS": "8"
    }
    layer = user_layer(environ)
    assert layer is not None
    settings, origins = resolve_settings([layer, environment_layer(environ)])
    assert (settings.ram_mb, settings.cpus) == (4096, 8)
    assert origins["ram_mb"] == f"{tmp_path}/hiperiso/config.toml: ram"


def test_a_path_counts_from_the_folder_of_the_file(tmp_path: Path) -> None:
    layer = user_layer(stored(tmp_path, 'kernel = "vmlinuz"'))
    assert layer is not None and isinstance(layer, Layer)
    assert layer.locate("vmlinuz") == tmp_path / "hiperiso" / "vmlinuz"


def test_where_it_is() -> None:
    assert user_config_path({"HOME": "/home/x"}) == Path("/home/x/.config/hiperiso/config.toml")
    assert user_config_path({"HOME": "/home/x", "XDG_CONFIG_HOME": "relative"}).is_relative_to("/home/x")
    assert user_layer({"HOME": "/nonexistent"}) is None
    assert user_layer({}) is None


@pytest.mark.parametrize("content", ["ram", 'ram = "4G', b"\xff\xfe", "a = 1\na = 2", b"x" * (2 << 20)])
def test_what_is_not_a_configuration(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(UsageError, match=r"config\.toml"):
        user_layer(stored(tmp_path, content))


def test_a_wrong_setting_names_the_file_and_the_right_one(tmp_path: Path) -> None:
    layer = user_layer(stored(tmp_path, "rma = 1\n[table]\nx = 1\n"))
    assert layer is not None
    with pytest.raises(
        UsageError, match=r"config\.toml: rma: unknown setting 'rma'; did you mean 'ram'"
    ) as caught:
        resolve_settings([layer])
    assert "config.toml: table" in caught.value.message


def test_one_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "hiperiso" / "config.toml").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot read"):
        user_layer({"XDG_CONFIG_HOME": str(tmp_path)})


def test_the_log_root_is_a_place_and_no_setting_of_a_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = stored(tmp_path, 'log_root = "boots"\nram = "1G"\n')
    layer = user_layer(environ)
    assert layer is not None and set(layer.values) == {"ram"}
    assert user_log_root(environ) == tmp_path / "hiperiso" / "boots"
    monkeypatch.delenv("HIPERISO_LOG_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_log_root() == tmp_path / "hiperiso" / "boots"
    monkeypatch.setenv("HIPERISO_LOG_DIR", "/elsewhere")
    assert default_log_root() == Path("/elsewhere")


@pytest.mark.parametrize("content", ["log_root = 7", 'log_root = ""', "log_root = []"])
def test_a_log_root_that_is_not_a_path(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match=r"config\.toml: log_root: not a directory"):
        user_log_root(stored(tmp_path, content))
    assert user_log_root({"HOME": "/nonexistent"}) is None
