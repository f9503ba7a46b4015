"""What pyproject.toml cannot describe: modules in C, left out where there is no compiler."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        # the fast way of hiperiso.analysis.anchors, which gives the same answers without it
        Extension("hiperiso._scan", ["src/hiperiso/_scan.c"], optional=True, extra_compile_args=["-O2"]),
        # the fast ways of hiperiso.trace.decoder and hiperiso.trace.textlog
        *(
            Extension(
                f"hiperiso.trace._{name}",
                [f"src/hiperiso/trace/_{name}.c"],
                optional=True,
                extra_compile_args=["-O3"],
            )
            for name in ("records", "textlog")
        ),
    ]
)
