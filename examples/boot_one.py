"""Boot one ISO, and say how far it got and why: python boot_one.py ISO [LOG_ROOT]."""

import sys

import hiperiso

session = hiperiso.boot(
    sys.argv[1], log_root=sys.argv[2] if len(sys.argv) > 2 else None, ram="256", timeout=60
)
print(f"{session.result} at {session.stage}: {session.cause}")
report = session.stored.report
for finding in report.findings if report else []:
    print(f"  {finding.severity}: {finding.summary}")
print(session.path)
sys.exit(session.exit_code)
