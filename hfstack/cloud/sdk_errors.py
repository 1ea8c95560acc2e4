"""Turns what keystoneauth and its libraries raise during a login or a request into one sentence."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TypeVar

import requests
from keystoneauth1 import exceptions as ksa

from hfstack.cloud.transport import LoginRefused, Unreachable, leads_to, without_secrets
from hfstack.errors import CloudTrouble, ConfigError, one_line

T = TypeVar("T")


class Redirected(ksa.ClientException):
    """A login or a version document is elsewhere. keystoneauth catches other errors, and guesses an address."""

    def __init__(self, url: str, status: int, location: str) -> None:
        self.sentence = (
            f"{without_secrets(url)} redirects to {leads_to(url, location)} ({status}), which hfstack does not follow"
        )
        super().__init__(self.sentence)


def translated(request: Callable[[], T], url: str) -> T:
    """Call keystoneauth and turn what it raises into one sentence. Raises `CloudTrouble`, `ConfigError`."""
    try:
        return request()
    except Redirected as redirected:
        raise CloudTrouble(f"the login at {redirected.sentence}: correct auth_url") from None
    except ksa.HttpError as error:
        # only replies to the login arrive here: the others are not raised (raise_exc)
        ids = (error.request_id,) if error.request_id else ()
        message = one_line(f"{error.http_status} {error.message.split(' (HTTP ')[0]}")
        where = without_secrets(str(error.url))
        raise LoginRefused(f"the login at {where} was refused: {message}", ids, error.http_status) from None
    except (ksa.ConnectionError, requests.RequestException) as error:
        where = address(error) or without_secrets(url)
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
            return without_secrets(url)
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
