"""The certificates that this host trusts. They replace certifi's list, which would become outdated in a frozen program.

requests calls this module for the authorities to trust if clouds.yaml names none (`cacert`). A site adds its own
authority to the host's with `update-ca-trust` or `update-ca-certificates`.
"""

from __future__ import annotations

import os.path

BUNDLES = (
    "/etc/pki/tls/certs/ca-bundle.crt",  # RHEL and its rebuilds
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


def where() -> str:
    """Return the path of the host's bundle. If there is none, return RHEL's: requests reports it as missing."""
    return next((path for path in BUNDLES if os.path.isfile(path)), BUNDLES[0])
