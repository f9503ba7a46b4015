"""The environment variables of the contract, each with the setting it stands for.

Source: the interface contract, "Kernel Command Line Parameters" and "Plugin Parameters".
"""

from __future__ import annotations

from typing import Final

ENVIRONMENT: Final[dict[str, str]] = {
    "iso": "HIPERISO_ISO_PATH",
    "log_root": "HIPERISO_LOG_DIR",
    "trace": "HIPERISO_TRACE_LEVEL",
    "ram": "HIPERISO_GUEST_RAM",
    "cpus": "HIPERISO_GUEST_CPUS",
    "display": "HIPERISO_DISPLAY",
    "vga": "HIPERISO_VGA",
    "fallback": "HIPERISO_FALLBACK",
    "auto_install": "HIPERISO_AUTO_INSTALL",
    "persistence": "HIPERISO_PERSISTENCE",
    "dud": "HIPERISO_DUD",
    "injection": "HIPERISO_INJECTION",
    "conf_replace": "HIPERISO_CONF_REPLACE",
    "secure_boot": "HIPERISO_SECURE_BOOT",
    "tpm": "HIPERISO_TPM",
    "cpu_features": "HIPERISO_CPU_FEATURES",
    "boot_mode": "HIPERISO_BOOT_MODE",
    "net_dump": "HIPERISO_NET_DUMP",
    # additions, in the same style
    "firmware": "HIPERISO_FIRMWARE",
    "accel": "HIPERISO_ACCEL",
    "no_kvm": "HIPERISO_NO_KVM",
    "direct": "HIPERISO_DIRECT",
    "timeout": "HIPERISO_TIMEOUT",
    "timeout_scale": "HIPERISO_TIMEOUT_SCALE",
    "expect": "HIPERISO_EXPECT",
    "expect_text": "HIPERISO_EXPECT_TEXT",
    "ocr": "HIPERISO_OCR",
    "config": "HIPERISO_CONFIG",
}
