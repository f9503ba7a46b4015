"""What pyproject.toml cannot describe: modules in C, left out where there is no compiler; a reproducible archive."""

# ruff: noqa: A002, ANN001, ANN201, D102, PLR0917 - as setuptools declares it

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.sdist import sdist

_GZIP_TIME = slice(4, 8)
_SAME = ["-g0"]  # no paths of the machine that compiled it
_LINKED = ["-Wl,--build-id=none"]


class ReproducibleSdist(sdist):
    """With SOURCE_DATE_EPOCH the archive depends on the files' content alone: times and owner are fixed."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None:
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)
        for path in [Path(base_dir), *Path(base_dir).rglob("*")]:
            os.utime(path, (int(epoch), int(epoch)))
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        name = super().make_archive(base_name, format, root_dir, base_dir, "root", "root")
        data = bytearray(Path(name).read_bytes())
        data[_GZIP_TIME] = bytes(4)
        Path(name).write_bytes(data)
        return name


setup(
    cmdclass={"sdist": ReproducibleSdist},
    ext_modules=[
        # the fast way of hiperiso.analysis.anchors, which gives the same answers without it
        Extension(
            "hiperiso._literals",
            ["src/hiperiso/_literals.c"],
            optional=True,
            extra_compile_args=["-O2", *_SAME],
            extra_link_args=_LINKED,
        ),
        # the fast ways of hiperiso.trace.decoder and hiperiso.trace.textlog
        *(
            Extension(
                f"hiperiso.trace._{name}",
                [f"src/hiperiso/trace/_{name}.c"],
                optional=True,
                extra_compile_args=["-O3", *_SAME],
                extra_link_args=_LINKED,
            )
            for name in ("records", "textlog")
        ),
    ],
)
