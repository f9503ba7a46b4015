"""hiperiso records one boot of an ISO: contract, machine, observation, analysis.

Imports only the standard library, ``bootchain`` and the payload allowlist (qemu.qmp, msgspec).
"""

__version__ = "0.1.0"
