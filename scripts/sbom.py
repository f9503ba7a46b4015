"""Writes packaging/sbom.cdx.json: what an installation of hiperiso consists of, as a CycloneDX bill of materials.

The libraries that pyproject.toml declares and all that these need, in the versions of requirements/constraints.txt;
those of extras have the scope "optional". ``--check`` only reports whether the file is up to date. The text depends
on these files and on the metadata of the pinned versions, which must be installed here; not on the time or on this
Python.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot5
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = ROOT / "packaging" / "sbom.cdx.json"
PRODUCT_EXTRAS: Final = ("ocr", "trace", "secureboot")
_MACHINE: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""Where conditions of requirements are evaluated: the oldest Python that is supported, with the most requirements."""
_OWN: Final = "bootchain"


def main() -> int:
    """Writes or checks the file; returns 1 when it is not up to date."""
    parser = argparse.ArgumentParser(description="Write the bill of materials, packaging/sbom.cdx.json.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it is not up to date")
    arguments = parser.parse_args()
    wanted = bill_of_materials()
    if arguments.check:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == wanted:
            return 0
        print(
            f"{TARGET.relative_to(ROOT)} is not up to date: run .venv/bin/python scripts/sbom.py",
            file=sys.stderr,
        )
        return 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


def bill_of_materials() -> str:
    """Returns the text of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(
        line.split("==")
        for line in (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").split()
    )
    versions = {str(canonicalize_name(name)): version for name, version in pins.items()}
    needed = closure(project["dependencies"], versions)
    extras = closure(
        [line for name in PRODUCT_EXTRAS for line in project["optional-dependencies"][name]], versions
    )
    product = Component(
        name=project["name"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        description=project["description"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    parts = {name: _part(name, versions[name], name in needed) for name in needed | extras}
    own = Component(name=_OWN, bom_ref=_OWN, scope=ComponentScope.REQUIRED, licenses=product.licenses)
    bill = Bom(components=[own, *parts.values()], metadata=BomMetaData(component=product))
    bill.register_dependency(product, [own, *(parts[name] for name in _direct(project["dependencies"]))])
    for name, part in parts.items():
        bill.register_dependency(part, [parts[other] for other in _direct(distribution(name).requires or ())])
    bill.serial_number = uuid5(
        NAMESPACE_URL, repr(sorted((part.name, part.version) for part in parts.values()))
    )
    written = json.loads(JsonV1Dot5(bill).output_as_string())
    del written["metadata"]["timestamp"]  # the time of writing
    return json.dumps(written, indent=2) + "\n"


def closure(lines: Iterable[str], versions: Mapping[str, str]) -> set[str]:
    """The names of what these requirements need in the end.

    Raises:
        SystemExit: one is installed in another version than the pinned one, or has no pin.
    """
    found: set[str] = set()
    todo = _direct(lines)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        installed: Distribution = distribution(name)
        if versions.get(name) != installed.version:
            raise SystemExit(
                f"sbom: {name} {installed.version} is installed, requirements/constraints.txt has "
                f"{versions.get(name, 'no version of it')}: run make setup, or add the pin"
            )
        todo += _direct(installed.requires or ())
    return found


def _direct(lines: Iterable[str]) -> list[str]:
    wanted = [Requirement(line) for line in lines]
    names = [
        canonicalize_name(each.name)
        for each in wanted
        if each.marker is None or each.marker.evaluate({**_MACHINE, "extra": ""})
    ]
    return [name for name in names if name != _OWN]


def _part(name: str, version: str, needed: bool) -> Component:
    metadata = distribution(name).metadata
    classifiers = [line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
    expression, written = (metadata.get_all(key, [""])[0] for key in ("License-Expression", "License"))
    words = (
        expression
        or ", ".join(line.rpartition(" :: ")[2] for line in classifiers)
        or (written if "\n" not in written else "")  # some have the whole text there
    )
    return Component(
        name=name,
        version=version,
        bom_ref=f"{name}=={version}",
        scope=ComponentScope.REQUIRED if needed else ComponentScope.OPTIONAL,
        description=metadata["Summary"],
        licenses=[LicenseFactory().make_from_string(words)] if words else [],
        purl=PackageURL("pypi", name=name, version=version),
    )


if __name__ == "__main__":
    sys.exit(main())
