"""Finds the services: the endpoints of clouds.yaml, else those of the token's catalog.

The URL of either may have no version, or Nova's legacy v2; then the service's own version document tells where v2.1 is,
as keystoneauth does it. In a catalog with several regions nothing tells which one is meant: the order changes.
"""

from __future__ import annotations

import re

from keystoneauth1 import exceptions as ksa
from keystoneauth1.access import AccessInfo
from keystoneauth1.discover import EndpointData
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack.config.cloud_region import CloudRegion

from hfstack.cloud.client import correct
from hfstack.cloud.sdk_errors import Redirected, translated
from hfstack.errors import CloudTrouble, ConfigError

VERSIONS = {"network": "/v2.0", "image": "/v2"}
"""The end of the base URL of Neutron's and Glance's API: there is only one version of each."""

PROJECT = re.compile(r"[%$]\((?:project|tenant)_id\)s")
"""What stands for the project's id in an endpoint; Keystone fills it in only in its catalog."""


class Discovery:
    """Finds the services of one cloud. `where` is the file, or the variables, that describe the cloud."""

    def __init__(self, region: CloudRegion, session: Session, where: str) -> None:
        self.region = region
        self.session = session
        self.where = where
        self.auth_url = str(region.config.get("auth", {}).get("auth_url", "the cloud"))

    def login(self) -> AccessInfo | None:
        """Log in, if that is necessary; `None` if the login has no token of Keystone's.

        Raises `CloudTrouble`, and `ConfigError` for a token that is not for a project.
        """
        auth = self.session.auth
        if not isinstance(auth, BaseIdentityPlugin):
            return None

        def read() -> tuple[AccessInfo, str | None]:
            token = auth.get_access(self.session)
            # a malformed answer is not a token without a project; only here keystoneauth shows that it is malformed
            return token, token.project_id if token.expires else None

        token, project = translated(read, self.auth_url)
        if not project:
            raise ConfigError(
                f"{self.where}: the login of cloud {self.region.name} gives a token without a project: "
                "set project_name and project_domain_name"
            )
        return token

    def project(self) -> str:
        """Return the id of the token's project, "" if the login has none. Logs in if necessary."""
        token = self.login()
        return (token.project_id or "") if token else ""

    def endpoint(self, service: str) -> str:
        """Return the base URL of a service's API: compute (v2.1), network (v2.0) or image (v2). Logs in if necessary.

        Raises `CloudTrouble`, `ConfigError`.
        """
        url = self.override(service) or self.from_catalog(service)
        if service == "compute":
            return self.discovered(url)
        url, version = url.rstrip("/"), VERSIONS[service]
        return url if url.endswith(version) else url + version

    def override(self, service: str) -> str:
        """Return the endpoint that clouds.yaml or the login itself gives, "" if there is none."""
        url = self.region.get_endpoint(service) or ""
        if not url and not isinstance(self.session.auth, BaseIdentityPlugin):
            url = self.session.get_endpoint() or ""
        if not PROJECT.search(url):
            return url
        project = self.project()
        if not project:
            raise ConfigError(
                f"{self.where}: {service}_endpoint_override of cloud {self.region.name} contains the project's id, "
                "which this login does not tell"
            )
        return PROJECT.sub(project, url)

    def from_catalog(self, service: str) -> str:
        """Return a service's endpoint in the token's catalog. Raises `CloudTrouble`, `ConfigError`."""
        region = self.region_of(service)
        for endpoint in self.offered(service):
            if endpoint.url and region in ("", endpoint.region_name):
                return endpoint.url
        filters = {"interface": self.region.get_interface(service), "region_name": region}
        wanted = ", ".join(f"{key} {value}" for key, value in filters.items() if value)
        raise CloudTrouble(f"the catalogue of {self.auth_url} has no {service} endpoint for {wanted}")

    def region_of(self, service: str) -> str:
        """Return the region of a service's endpoint, "" if neither clouds.yaml nor the catalog names one.

        A service of several regions is used in Nova's. Raises `CloudTrouble`, and `ConfigError` if that one is unknown.
        """
        regions = self.regions(service)
        if len(regions) > 1:
            regions = self.regions("compute")
        if len(regions) > 1:
            raise ConfigError(
                f"{self.where}: region_name of cloud {self.region.name} is missing, wanted one of the catalogue's "
                f"regions: {', '.join(regions)}"
            )
        return "".join(regions)

    def regions(self, service: str) -> list[str]:
        """Return the configured region, else those that offer a service."""
        configured = self.region.get_region_name(service)
        if configured:
            return [configured]
        return sorted({endpoint.region_name for endpoint in self.offered(service) if endpoint.region_name})

    def offered(self, service: str) -> list[EndpointData]:
        """Return a service's endpoints in the token's catalog, of all regions; only those of the wanted interface."""
        token = self.login()
        if not token:
            return []
        return token.service_catalog.get_endpoint_data_list(
            service_type=self.region.get_service_type(service),
            service_name=self.region.get_service_name(service),
            interface=self.region.get_interface(service) or "public",
        )

    def discovered(self, url: str) -> str:
        """Return the base URL of Nova's API v2.1 below a URL. Raises `CloudTrouble`."""
        endpoint = EndpointData(catalog_url=url, service_type="compute")

        def look() -> str:
            try:
                found = endpoint.get_versioned_data(
                    self.session, discover_versions=False, min_version="2.1", max_version="2.latest"
                )
            except Redirected as redirected:
                raise CloudTrouble(f"the compute endpoint {redirected.sentence}: {correct('compute')}") from None
            except ksa.DiscoveryFailure as error:
                raise CloudTrouble(f"the compute endpoint {url} is not Nova's v2.1: {error}") from None
            return found.url or url

        return translated(look, url)
