"""What pyproject.toml cannot describe: a module in C, left out where there is no compiler."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        # the fast way of hiperiso.analysis.anchors, which gives the same answers without it
        Extension("hiperiso._scan", ["src/hiperiso/_scan.c"], optional=True, extra_compile_args=["-O2"]),
    ]
)
