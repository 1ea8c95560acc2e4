"""One request with a cached token, against real sockets on loopback."""

from __future__ import annotations

import datetime as dt
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from hfstack import __version__
from hfstack.cloud.sdk import SessionTransport
from hfstack.cloud.transport import TokenTransport, Unreachable, host_and_port, leads_to
from tests.certificate import DAY, certificate

TOKEN = "gAAAAA-a-token"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Openstack-Request-Id: req-1\r\n\r\n{}"


class Seen(NamedTuple):
    """A request as it came in."""

    connection: int
    line: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Answers each request with the next of some prepared bytes; after the last of them, with the last.

    An answer that is "" is none: the connection is closed. So it is after one in `closing`.
    """

    def __init__(self, *answers: bytes, host: str = "127.0.0.1", tls: tuple[str, str] | None = None) -> None:
        self.answers = list(answers)
        self.closing: set[bytes] = set()
        self.seen: list[Seen] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, 0), family=family)
        self.port = self.socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(accepted, self.connections), daemon=True).start()

    def serve(self, accepted: socket.socket, number: int) -> None:
        with suppress(OSError), accepted:
            connection = self.context.wrap_socket(accepted, server_side=True) if self.context else accepted
            with connection, connection.makefile("rb") as stream:
                while line := stream.readline():
                    answer = self.answer(Seen(number, line.decode("latin-1").strip(), *read(stream)))
                    connection.sendall(answer)
                    if not answer or answer in self.closing:
                        return

    def answer(self, seen: Seen) -> bytes:
        with self.lock:
            self.seen.append(seen)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def stop(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def read(stream: object) -> tuple[dict[str, str], bytes]:
    """Read the headers and the body of a request."""
    headers = {}
    while line := stream.readline().strip():  # type: ignore[attr-defined]
        name, _, value = line.decode("latin-1").partition(": ")
        assert name not in headers, "a header twice"
        headers[name] = value
    return headers, stream.read(int(headers.get("Content-Length", 0)))  # type: ignore[attr-defined]


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    started: list[Server] = []

    def start(*answers: bytes, host: str = "127.0.0.1", tls: tuple[str, str] | None = None) -> Server:
        started.append(Server(*answers, host=host, tls=tls))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def transport() -> Iterator[TokenTransport]:
    made = TokenTransport(TOKEN, "/no/such/ca.pem")
    yield made
    close(made)


def close(transport: TokenTransport) -> None:
    for _, connection in transport.idle:
        connection.close()


# What is sent


def test_a_get_has_these_headers_and_no_others(serve: Serve, transport: TokenTransport) -> None:
    server = serve(OK)
    reply = transport.send("GET", server.url + "/v2.1/servers/detail?tags=hf%3Areq&limit=1000", {"X-Test": "1"}, 10)
    assert (reply.status, reply.body, reply.headers["x-openstack-request-id"]) == (200, b"{}", "req-1")
    (seen,) = server.seen
    assert seen.line == "GET /v2.1/servers/detail?tags=hf%3Areq&limit=1000 HTTP/1.1"
    assert seen.headers == {
        "Host": f"127.0.0.1:{server.port}",
        "X-Auth-Token": TOKEN,
        "User-Agent": f"hfstack/{__version__}",
        "X-Test": "1",
        "Accept-Encoding": "identity",
    }


def test_a_post_has_its_body_and_the_length_of_it(serve: Serve, transport: TokenTransport) -> None:
    server = serve(OK)
    transport.send("POST", server.url + "/servers", {"Content-Type": "application/json"}, 10, '{"ä": 1}'.encode())
    (seen,) = server.seen
    assert (seen.line, seen.body) == ("POST /servers HTTP/1.1", '{"ä": 1}'.encode())
    assert seen.headers["Content-Length"] == "9"


@pytest.mark.parametrize(
    ("path", "sent"),
    [("", "/"), ("/", "/"), ("?a=b", "/?a=b"), ("/v2.1/p", "/v2.1/p"), ("/a%20b//c", "/a%20b//c")],
)
def test_the_path_is_sent_as_it_stands(serve: Serve, transport: TokenTransport, path: str, sent: str) -> None:
    server = serve(OK)
    transport.send("DELETE", server.url + path, {}, 10)
    assert server.seen[0].line == f"DELETE {sent} HTTP/1.1"


def test_over_ipv6(serve: Serve, transport: TokenTransport) -> None:
    try:
        server = serve(OK, host="::1")
    except OSError:
        pytest.skip("this host has no IPv6")
    assert transport.send("GET", server.url, {}, 10).status == 200
    assert server.seen[0].headers["Host"] == f"[::1]:{server.port}"


# Connections


def test_one_connection_carries_several_requests(serve: Serve, transport: TokenTransport) -> None:
    server, other = serve(OK), serve(OK)
    for path in ("/1", "/2", "/3"):
        transport.send("GET", server.url + path, {}, 10)
        transport.send("GET", other.url + path, {}, 10)
    assert [seen.line for seen in server.seen] == [f"GET /{number} HTTP/1.1" for number in (1, 2, 3)]
    assert (server.connections, other.connections) == (1, 1)


def test_a_connection_that_was_closed_meanwhile_is_not_used(serve: Serve, transport: TokenTransport) -> None:
    server = serve(OK)
    server.closing = {OK}
    for _ in range(3):
        assert transport.send("POST", server.url, {}, 10, b"{}").status == 200
        ((_, kept),) = transport.idle
        assert select.select([kept.sock], [], [], 30)[0], "its end has come"
    assert [seen.connection for seen in server.seen] == [1, 2, 3], "each POST once"


def test_a_connection_that_says_that_it_is_closed_is_not_kept(serve: Serve, transport: TokenTransport) -> None:
    server = serve(OK.replace(b"200 OK", b"200 OK\r\nConnection: close"))
    for _ in range(2):
        assert transport.send("GET", server.url, {}, 10).status == 200
        assert transport.idle == []
    assert server.connections == 2


def test_a_connection_on_which_something_went_wrong_is_not_used_again(serve: Serve, transport: TokenTransport) -> None:
    server = serve(OK, b"", OK)
    transport.send("GET", server.url, {}, 10)
    with pytest.raises(Unreachable):
        transport.send("POST", server.url, {}, 10, b"{}")
    assert transport.idle == []
    transport.send("GET", server.url, {}, 10)
    assert [seen.line.split()[0] for seen in server.seen] == ["GET", "POST", "GET"], "and nothing was repeated"


def test_threads_share_connections_without_mixing_answers(serve: Serve, transport: TokenTransport) -> None:
    server = serve(OK)
    server.answer = lambda seen: (  # type: ignore[method-assign]
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(seen.line), seen.line.encode())
    )
    together = threading.Barrier(8)

    def ask(thread: int) -> None:
        together.wait()
        for number in range(10):
            reply = transport.send("GET", f"{server.url}/{thread}/{number}", {}, 10)
            assert reply.body == f"GET /{thread}/{number} HTTP/1.1".encode()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert server.connections == len(transport.idle) <= 8


# Answers


def test_an_answer_in_chunks(serve: Serve, transport: TokenTransport) -> None:
    chunks = b'4\r\n{"a"\r\n4;x=y\r\n: 1}\r\n0\r\nTrailer: z\r\n\r\n'
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, OK)
    assert transport.send("GET", server.url, {}, 10).body == b'{"a": 1}'
    assert transport.send("GET", server.url, {}, 10).body == b"{}"
    assert server.connections == 1


def test_an_answer_without_a_body(serve: Serve, transport: TokenTransport) -> None:
    server = serve(b"HTTP/1.1 204 No Content\r\n\r\n", OK)
    assert transport.send("DELETE", server.url, {}, 10).body == b""
    assert transport.send("GET", server.url, {}, 10).body == b"{}"


def test_an_answer_that_ends_with_the_connection(serve: Serve, transport: TokenTransport) -> None:
    answer = b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}'
    server = serve(answer)
    server.closing = {answer}
    assert transport.send("GET", server.url, {}, 10).body == b'{"a": 1}'


@pytest.mark.parametrize("status", [300, 301, 302, 307, 401, 404, 429, 500, 503])
def test_no_status_is_an_error_and_no_redirect_followed(serve: Serve, transport: TokenTransport, status: int) -> None:
    server, elsewhere = serve(b""), serve(OK)
    answer = f"HTTP/1.1 {status} X\r\nLocation: {elsewhere.url}/\r\nContent-Length: 2\r\n\r\n{{}}"
    server.answers = [answer.encode()]
    reply = transport.send("GET", server.url, {}, 10)
    assert (reply.status, reply.headers["location"]) == (status, elsewhere.url + "/")
    assert (len(server.seen), elsewhere.connections) == (1, 0)


# No answer


def unreachable(transport: TokenTransport | SessionTransport, url: str, timeout: float = 10) -> str:
    with pytest.raises(Unreachable) as caught:
        transport.send("GET", url + "/servers?limit=1", {}, timeout)
    return str(caught.value).replace(url, "URL")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"", "Remote end closed connection without response", id="closed"),
        pytest.param(OK[:-1], "its answer ends too early", id="half a body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
            "its answer ends too early",
            id="half a chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsix\r\n{", "its answer ends too early", id="no chunk"
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is not HTTP", id="another protocol"),
        pytest.param(b"HTTP/1.1 fine\r\n\r\n", "its answer is not HTTP", id="no status"),
        pytest.param(b"HTTP/9.9 200 OK\r\n\r\n", "its answer is not HTTP", id="HTTP of another world"),
        pytest.param(b"\0" * 100_000, "its answer is not HTTP", id="zeros"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101, "its answer is not HTTP", id="headers without end"),
    ],
)
def test_an_answer_that_is_none(serve: Serve, transport: TokenTransport, answer: bytes, reason: str) -> None:
    server = serve(answer)
    server.closing = {answer}
    assert unreachable(transport, server.url) == f"cannot reach URL/servers: {reason}"
    assert (len(server.seen), transport.idle) == (1, [])


def test_a_port_where_nobody_listens(transport: TokenTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert unreachable(transport, url) == "cannot reach URL/servers: Connection refused"


def test_a_port_that_is_none(transport: TokenTransport) -> None:
    assert unreachable(transport, "http://127.0.0.1:99999") == "cannot reach URL/servers: Port out of range 0-65535"


def test_a_host_that_has_no_address(transport: TokenTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def nobody(host: object, *_: object) -> None:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert unreachable(transport, "http://nova.test:8774") == "cannot reach URL/servers: Name or service not known"
    assert asked == [b"nova.test"]


def test_a_server_that_says_nothing(transport: TokenTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert unreachable(transport, url, 0.1) == "cannot reach URL/servers: no answer in time"


def test_a_kept_connection_has_the_time_of_its_next_request(serve: Serve, transport: TokenTransport) -> None:
    answer = OK[:-1]
    server = serve(OK, answer)
    transport.send("GET", server.url, {}, 300)
    assert unreachable(transport, server.url, 0.1) == "cannot reach URL/servers: no answer in time"
    assert server.connections == 1


# TLS


def session(cafile: str) -> SessionTransport:
    """Make the SDK's way to the same service."""
    return SessionTransport(Session(auth=Token("http://127.0.0.1:9", TOKEN), verify=cafile))


@pytest.fixture
def good(tmp_path: Path) -> tuple[str, str]:
    """A certificate that is good for a day, and its key."""
    return certificate(tmp_path, dt.datetime.now(dt.UTC) + DAY)


def another(tmp_path: Path, valid_for: dt.timedelta = DAY, **names: str) -> tuple[str, str]:
    folder = tmp_path / "another"
    folder.mkdir()
    return certificate(folder, dt.datetime.now(dt.UTC) + valid_for, **names)


def test_a_certificate_that_is_trusted(serve: Serve, good: tuple[str, str]) -> None:
    server = serve(OK, tls=good)
    made = TokenTransport(TOKEN, good[0])
    for _ in range(3):
        assert made.send("GET", server.url, {}, 10).status == 200
    close(made)
    assert server.connections == 1, "kept connections are asked whether they live, behind TLS too"


def both(server: Server, cafile: str, host: str = "127.0.0.1") -> str:
    """Return what both ways say to a server that is not to be trusted."""
    url = f"https://{host}:{server.port}"
    made = TokenTransport(TOKEN, cafile)
    direct, through_the_sdk = unreachable(made, url), unreachable(session(cafile), url)
    assert direct == through_the_sdk
    assert (server.seen, made.idle) == ([], []), "nobody has seen the token"
    return direct.removeprefix("cannot reach URL/servers: ")


def test_an_authority_that_is_not_ours(serve: Serve, good: tuple[str, str], tmp_path: Path) -> None:
    said = both(serve(OK, tls=good), another(tmp_path, common_name="another authority")[0])
    assert said == "its certificate is not trusted: self-signed certificate"


def test_a_certificate_for_another_name(serve: Serve, good: tuple[str, str]) -> None:
    said = both(serve(OK, tls=good), good[0], "localhost")
    assert said.startswith("its certificate is not trusted: Hostname mismatch")


def test_a_certificate_for_another_address(serve: Serve, tmp_path: Path) -> None:
    files = another(tmp_path, address="127.0.0.2")
    said = both(serve(OK, tls=files), files[0])
    assert said.startswith("its certificate is not trusted: IP address mismatch")


def test_a_common_name_is_no_name(serve: Serve, tmp_path: Path) -> None:
    files = another(tmp_path, common_name="localhost")
    said = both(serve(OK, tls=files), files[0], "localhost")
    assert said.startswith("its certificate is not trusted: Hostname mismatch")


def test_a_certificate_past_its_time(serve: Serve, tmp_path: Path) -> None:
    files = another(tmp_path, valid_for=-DAY)
    said = both(serve(OK, tls=files), files[0])
    assert said == "its certificate is not trusted: certificate has expired"


def test_a_server_without_tls(serve: Serve, good: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def answer(accepted: socket.socket, _: int) -> None:
        with accepted:
            heard.append(accepted.recv(100_000))
            accepted.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    server = serve(OK)
    monkeypatch.setattr(server, "serve", answer)
    assert both(server, good[0]).startswith("[SSL: ")
    assert len(heard) == 2
    assert TOKEN.encode() not in b"".join(heard)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Nova.Bank.example/compute/v2.1", "nova.bank.example:80"),
        ("HTTPS://nova/v2.1", "nova:443"),
        ("https://nova:8774", "nova:8774"),
        ("http://[FE80::1]:8774/", "[fe80::1]:8774"),
    ],
)
def test_host_and_port_are_always_both_there(url: str, expected: str) -> None:
    assert host_and_port(url) == expected


def test_a_port_that_cannot_be_leads_nowhere() -> None:
    with pytest.raises(Unreachable, match="cannot reach http://nova:99999: Port out of range"):
        host_and_port("http://nova:99999")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://nova/v2.1/servers?limit=1", "https://nova/v2.1/servers"),
        ("/elsewhere#x", "http://nova:8774/elsewhere"),
        ("//user:secret@evil/", "http://evil/"),
        ("", "an unknown address"),
        ("http://[evil/", "something that is not a URL"),
    ],
)
def test_where_a_redirect_leads_is_told_without_secrets(location: str, expected: str) -> None:
    assert leads_to("http://nova:8774/v2.1", location) == expected
