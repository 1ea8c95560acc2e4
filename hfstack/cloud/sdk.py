"""One HTTP request to one endpoint of the cloud, through the SDK's session.

The session logs in when necessary, once more after a 401, and knows the site's proxies, certificates and unusual
logins. Nothing here is retried, and no status is an error: the caller decides.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import requests
from keystoneauth1 import exceptions as ksa
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack import exceptions as sdk
from openstack.config.cloud_region import CloudRegion

from hfstack.cloud.transport import Reply, Unreachable
from hfstack.context import Budget
from hfstack.errors import CloudTrouble, ConfigError
from hfstack.log import Log
from hfstack.store.token_cache import CachedAccess


class Access:
    """Access to one cloud: a transport that logs in when it is first used, and the services' endpoints."""

    def __init__(self, region: CloudRegion, budget: Budget) -> None:
        self.region = region
        region.set_session_constructor(BoundedSession)
        try:
            self.session = region.get_session()
        except (sdk.ConfigException, ksa.ClientException) as error:
            raise ConfigError(f"the cloud's credentials cannot be used: {error}") from None
        if isinstance(self.session, BoundedSession):
            self.session.budget = budget
        self.transport = SessionTransport(self.session)

    def compute_endpoint(self) -> str:
        """Return the base URL of Nova's API v2.1. Logs in if necessary."""
        # if the catalog names no version, or the legacy v2, keystoneauth discovers v2.1
        return self.endpoint("compute", min_version="2.1", max_version="2.latest")

    def network_endpoint(self) -> str:
        """Return the base URL of Neutron's API v2.0."""
        url = self.endpoint("network").rstrip("/")
        return url if url.endswith("/v2.0") else url + "/v2.0"

    def image_endpoint(self) -> str:
        """Return the base URL of Glance's API v2."""
        url = self.endpoint("image").rstrip("/")
        return url if url.endswith("/v2") else url + "/v2"

    def endpoint_of(self, service: str) -> str:
        """Return the base URL of a service's API: compute, network or image."""
        return {"compute": self.compute_endpoint, "network": self.network_endpoint, "image": self.image_endpoint}[
            service
        ]()

    def cacheable(self, env: Mapping[str, str], settings: Mapping[str, object]) -> CachedAccess | None:
        """Return what later calls need to query the services with only the token; `None` if a token is not enough.

        A token is not enough with a proxy, a client certificate, a server whose certificate is not verified, or a login
        without a token that expires. Logs in if necessary. Raises `CloudTrouble`.
        """
        auth, cafile = self.session.auth, ca_file(self.session.verify, env)
        if self.session.cert or not os.path.isfile(cafile) or not isinstance(auth, BaseIdentityPlugin):
            return None
        endpoints = {"compute": self.compute_endpoint()}
        for service in ("network", "image"):
            with suppress(CloudTrouble):
                endpoints[service] = self.endpoint_of(service)
        login = translated(lambda: auth.get_access(self.session), endpoints["compute"])
        headers = translated(lambda: auth.get_headers(self.session), endpoints["compute"])
        plain = all(PLAIN_URL.match(url) and not has_proxy(url) for url in endpoints.values())
        token = login.auth_token
        if not plain or not token or not login.expires or headers != {"X-Auth-Token": token}:
            return None
        return CachedAccess(
            token, login.expires.timestamp(), endpoints, cafile, settings, self.project(), self.compute_region()
        )

    def project(self) -> str:
        """Return the id of the token's project, "" if the login has none. Logs in if necessary."""
        auth_url = str(self.region.config.get("auth", {}).get("auth_url", "the cloud"))
        return translated(self.session.get_project_id, auth_url) or ""

    def compute_region(self) -> str:
        """Return the region of the compute endpoint: the configured one, else the catalog's only one, else ""."""
        configured = self.region.get_region_name("compute")
        auth = self.session.auth
        if configured or not isinstance(auth, BaseIdentityPlugin):
            return configured or ""
        auth_url = str(self.region.config.get("auth", {}).get("auth_url", "the cloud"))
        found = translated(lambda: auth.get_access(self.session), auth_url).service_catalog.get_endpoint_data_list(
            service_type=self.region.get_service_type("compute"),
            service_name=self.region.get_service_name("compute"),
            interface=self.region.get_interface("compute"),
        )
        regions = {endpoint.region_name for endpoint in found}
        return regions.pop() or "" if len(regions) == 1 else ""

    def endpoint(self, service: str, **versions: str) -> str:
        """Return a service's endpoint: the one in clouds.yaml, else the catalog's. Raises `CloudTrouble`."""
        override = self.region.get_endpoint(service)
        if override:
            return str(override)
        wanted: dict[str, Any] = {
            "interface": self.region.get_interface(service),
            "region_name": self.region.get_region_name(service),
            **versions,
        }
        auth_url = str(self.region.config.get("auth", {}).get("auth_url", "the cloud"))

        def look() -> str | None:
            try:
                return self.session.get_endpoint(
                    service_type=self.region.get_service_type(service),
                    service_name=self.region.get_service_name(service),
                    **wanted,
                )
            except ksa.CatalogException:
                return None

        found = translated(look, auth_url)
        if not found:
            filters = ", ".join(f"{key} {value}" for key, value in wanted.items() if value and key not in versions)
            raise CloudTrouble(f"the catalogue of {auth_url} has no {service} endpoint for {filters}")
        return str(found)


PLAIN_URL = re.compile(r"https?://([\w.-]*\w|\[[0-9a-f:]+\])(:\d{1,5})?(/[\w./~-]*)?\Z", re.ASCII | re.IGNORECASE)
"""Endpoints for which the SDK's session and the standard library send the same request."""

T = TypeVar("T")


class BoundedSession(Session):
    """A session whose requests, including those of the login, end with the time budget of this call."""

    budget: Budget

    def request(self, url: str, method: str, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send one request within the remaining time. Raises keystoneauth's errors."""
        if method == "POST":
            # a login's body holds the password, and is only for the host that the site named
            kwargs["redirect"] = False
        left = self.budget.left()
        if left <= 0:
            raise ksa.ConnectTimeout("this call ran out of time")
        kwargs["timeout"] = min(kwargs.get("timeout") or self.timeout or left, left)
        return super().request(url, method, *args, **kwargs)


class SessionTransport:
    """Sends requests through a keystoneauth session, with its token."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        body: bytes | None = None,
        *,
        allow_reauth: bool = True,
    ) -> Reply:
        """Send one request and return the reply. `timeout` is in seconds. Raises `CloudTrouble`, `ConfigError`.

        Redirects are not followed: the token is only for this host. After a 401 the request is sent once more with a
        new login, if that is allowed.
        """
        response = translated(
            lambda: self.session.request(
                url,
                method,
                headers=dict(headers),
                data=body,
                timeout=timeout,
                raise_exc=False,
                allow_reauth=allow_reauth,
                redirect=False,
                connect_retries=0,
                status_code_retries=0,
                log=False,
            ),
            url,
        )
        lower = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, lower, response.content)


def capture_library_logs(log: Log) -> None:
    """Send the warnings of libraries to the log; Python's own fallback would print them on stderr.

    Their DEBUG lines are never logged: they contain request bodies.
    """

    class ToLog(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.write("WARNING", f"{record.name}: {record.getMessage()}")

    root = logging.getLogger()
    root.handlers = [ToLog(logging.WARNING)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def ca_file(verify: bool | str | None, env: Mapping[str, str]) -> str:
    """Return the file or folder of certificates that requests would trust; "" if it would trust any server."""
    if verify is True:
        # requests' own order (Session.merge_environment_settings)
        return env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE") or requests.utils.DEFAULT_CA_BUNDLE_PATH
    return verify or ""


def has_proxy(url: str) -> bool:
    """Tell whether requests would use a proxy from the environment for this URL."""
    return bool(requests.utils.get_environ_proxies(url))


def translated(request: Callable[[], T], url: str) -> T:
    """Call keystoneauth and turn what it raises into one sentence."""
    try:
        return request()
    except ksa.HttpError as error:
        # only replies to the login arrive here: the others are not raised (raise_exc)
        ids = (error.request_id,) if error.request_id else ()
        message = error.message.split(" (HTTP ")[0]
        raise CloudTrouble(f"the login at {error.url} was refused: {error.http_status} {message}", ids) from None
    except (ksa.ConnectionError, requests.RequestException) as error:
        where = address(error) or url.partition("?")[0]
        raise Unreachable(f"cannot reach {where}: {root_cause(error)}") from None
    except (ksa.MissingRequiredOptions, ksa.NoMatchingPlugin, ksa.OptionError) as error:
        raise ConfigError(f"the cloud's credentials are incomplete: {error}") from None
    except ksa.ClientException as error:
        raise CloudTrouble(f"no login for {url}: {error}") from None
    except OSError as error:
        # requests complains about a cacert, cert or key file that does not exist
        raise ConfigError(f"TLS settings of the cloud: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # keystoneauth does not validate the reply to a login before it reads it
        raise CloudTrouble(f"no login for {url}: its answer is malformed ({type(error).__name__})") from None
    except Exception as error:
        # a missing user name or password is a bare Exception (keystoneauth1/identity/generic/password.py)
        if type(error) is Exception:
            raise ConfigError(f"the login at {url} cannot be made: {error}") from None
        raise


def address(error: BaseException) -> str:
    """Return the address that could not be reached, if the error has it: the login's may differ from ours."""
    for cause in chain(error):
        url = getattr(getattr(cause, "request", None), "url", None)
        if isinstance(url, str):
            return url.split("?")[0]
    return ""


def root_cause(error: BaseException) -> str:
    """Return the system's own description of an error, without the wrappings of three libraries."""
    causes = list(chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, requests.exceptions.Timeout | TimeoutError):
            return "no answer in time"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
    innermost = str(causes[-1])
    return innermost or type(causes[-1]).__name__


def chain(error: BaseException) -> list[BaseException]:
    """Unwrap an error: causes, contexts, urllib3's `reason`, and errors passed as arguments."""
    causes: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        cause = pending.pop(0)
        if isinstance(cause, BaseException) and not any(cause is seen for seen in causes):
            causes.append(cause)
            pending += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return causes
