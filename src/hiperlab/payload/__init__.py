"""The payload of a stick: host kernel, and an initramfs with bootchain, the recorder, Python and QEMU."""

from hiperlab.payload.build import PayloadSpec, build_payload
from hiperlab.payload.components import Component, PayloadInfo, read_info

__all__ = ["Component", "PayloadInfo", "PayloadSpec", "build_payload", "read_info"]
