"""The certificates that this host trusts, in place of certifi's own list, which would grow old inside a frozen program.

requests asks here which authorities it may trust where clouds.yaml names none (`cacert`). A site's own authority is one
of the host's as soon as its administrators have made it so (`update-ca-trust`, `update-ca-certificates`).
"""

from __future__ import annotations

import os.path

BUNDLES = (
    "/etc/pki/tls/certs/ca-bundle.crt",  # RHEL and its rebuilds
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


def where() -> str:
    """Return the path of the host's bundle; RHEL's where there is none, which requests then says is missing."""
    return next((path for path in BUNDLES if os.path.isfile(path)), BUNDLES[0])
