"""Addresses that lead inside, and servers that misbehave."""

import socket
import struct
import threading
import time

import pytest
from hostile_limits import refused, within_limits

from vqclip_nb.models import download
from vqclip_nb.models.download import Download, FetchError
from vqclip_nb.storage import images
from vqclip_nb.untrusted import addresses
from vqclip_nb.untrusted.addresses import checked, fetch_bytes, is_public

INSIDE = [
    "http://localhost/a.png", "http://LOCALHOST./a.png", "http://a.localhost/a.png",
    "http://127.0.0.1/a.png", "http://127.1/a.png", "http://2130706433/a.png",
    "http://0x7f000001/a.png", "http://0177.0.0.1/a.png", "http://0/a.png", "http://0.0.0.0/a.png",
    "http://10.0.0.1/a.png", "http://172.16.0.1/a.png", "http://192.168.1.1/a.png",
    "http://169.254.169.254/latest/meta-data/a.png", "http://100.64.0.1/a.png",
    "http://metadata.google.internal/a.png", "http://printer.local/a.png",
    "http://[::1]/a.png", "http://[::]/a.png", "http://[fe80::1]/a.png", "http://[fc00::1]/a.png",
    "http://[::ffff:127.0.0.1]/a.png", "http://[64:ff9b::7f00:1]/a.png",
    "http://[2002:7f00:1::]/a.png", "http://224.0.0.1/a.png", "http://255.255.255.255/a.png",
    "http://198.18.0.1/a.png", "http://127.0.0.1:22/a.png", "https://127.0.0.1/a.png",
]  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_of_this_machine_or_its_network_is_refused(monkeypatch, url):
    monkeypatch.setattr(socket.socket, "connect", _never)
    with refused(r"could not be fetched: it is an address of this machine or its network"):
        images.read_picture(url)


def _never(*_: object) -> None:
    raise AssertionError("it was connected to")


NONE = [
    "http://", "http:///a.png", "http://?a.png", "http://#a.png", "http://:80/a.png",
    "http://a:b@example.com/a.png", "http://a@example.com/a.png", "http://example.com:99999/a.png",
    "http://example.com:x/a.png", "http://exa mple.com/a.png", "http://example.com\\@127.0.0.1/a.png",
    "http://exam\nple.com/a.png", "http://example.com/a\r\nHost: b/a.png", "http://[::1/a.png",
    "http://[zz]/a.png", "http://a..b/a.png", "http://" + "a" * 64 + ".com/a.png",
    "http://" + "a." * 3000 + "com/a.png", "http://example.com/" + "a" * 5000 + ".png",
    "http://ex\u202eample.com/a.png", "http://ex\0ample.com/a.png", "http://%31%32%37.0.0.1/a.png",
    "http://127.0.0.1%2f@example.com/a.png", "http://.../a.png", "http://-/a.png?\x1b",
]  # fmt: skip


@pytest.mark.parametrize("url", NONE)
def test_what_is_no_address_is_refused(monkeypatch, url):
    monkeypatch.setattr(socket.socket, "connect", _never)
    with refused("could not be fetched: "):
        images.read_picture(url)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.com/b", "gopher://a/b", "//a/b", "a"]
)
def test_another_scheme_is_refused(url):
    with refused("it is not an http or https address", error=_RefusedError):
        _checked(url)


class _RefusedError(Exception):
    """The reason with its full stop, as those who give it write it."""


def _checked(url: str, **options) -> None:
    try:
        checked(url, **options)
    except ValueError as error:
        raise _RefusedError(f"{error}.") from None


def test_models_come_over_https_only(monkeypatch):
    with refused("it is not an https address", error=_RefusedError):
        _checked("http://example.com/a.ckpt", secure=True)
    checked("https://example.com/a.ckpt", secure=True)
    monkeypatch.setenv("VQCLIP_LOCAL_NETWORK", "1")
    checked("http://192.168.1.5/a.ckpt", secure=True)  # a classroom's mirror
    with refused("it is not an https address", error=_RefusedError):
        _checked("http://example.com/a.ckpt", secure=True)


def test_public_addresses_are_allowed():
    assert all(map(is_public, ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")))


def test_a_name_that_leads_inside_is_refused_when_it_is_looked_up(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", _never)
    for inner in ("127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"):
        both = [(socket.AF_INET, 1, 6, "", (each, 80)) for each in ("8.8.8.8", inner)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=both, **__: found)
        with refused("it is an address of this machine or its network"):
            images.read_picture("http://innocent.example/a.png")


# servers

OK = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Answers each connection with `answer(connection)`, which may take its time."""

    def __init__(self, answer, address: str = "127.0.0.1") -> None:
        self.answer, self.connections = answer, 0
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.ends = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self.ends.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        try:
            connection.recv(65536)
            self.answer(connection, self)
        except OSError:
            pass  # the client went away
        finally:
            connection.close()

    def close(self) -> None:
        self.ends.set()
        self.socket.close()


def _sends(*parts: bytes):
    def answer(connection, server):
        for part in parts:
            connection.sendall(part.replace(b"PORT", str(server.port).encode()))

    return answer


def _trickles(begin: bytes, byte: bytes):
    def answer(connection, server):
        connection.sendall(begin)
        while not server.ends.is_set():
            connection.sendall(byte)
            time.sleep(0.1)

    return answer


def _floods(begin: bytes, block: bytes):
    def answer(connection, server):
        connection.sendall(begin)
        while not server.ends.is_set():
            connection.sendall(block)

    return answer


def _silent(connection, server) -> None:
    server.ends.wait(20)


def _resets(connection, server) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _to(target: str, code: int = 302, more: bytes = b"") -> bytes:
    return f"HTTP/1.1 {code} Found\r\nLocation: {target}\r\n".encode() + more + b"\r\n"


SERVERS = {
    "silence": (_silent, "it does not answer in time"),
    "a status byte by byte": (_trickles(b"", b"H"), "in time|not that of a web server"),
    "headers byte by byte": (_trickles(OK, b"a"), "it does not answer in time"),
    "headers without end": (_floods(OK, b"a: b\r\n" * 1000), "not that of a web server"),
    "a header without end": (_floods(OK + b"a: ", b"b" * 65536), "not that of a web server"),
    "a content byte by byte": (
        _trickles(OK + b"Content-Length: 1000000\r\n\r\n", b"a"),
        "it does not answer in time",
    ),
    "a content without end": (_floods(OK + b"\r\n", bytes(65536)), "larger than the allowed"),
    "chunks without end": (
        _floods(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + bytes(4096) + b"\r\n"),
        "larger than the allowed",
    ),
    "continue without end": (_floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "in time|web server"),
    "a length of 2^62": (
        _sends(OK, b"Content-Length: 4611686018427387904\r\n\r\n"),
        "larger than the allowed",
    ),
    "a length that is none": (_floods(OK + b"Content-Length: x\r\n\r\n", bytes(9999)), "larger"),
    "less than announced": (_sends(OK, b"Content-Length: 100\r\n\r\nabc"), "the connection broke"),
    "a chunk that is none": (
        _sends(OK, b"Transfer-Encoding: chunked\r\n\r\nhello\r\n"),
        "broke|web server",
    ),
    "half a chunk": (_sends(OK, b"Transfer-Encoding: chunked\r\n\r\n100\r\nabc"), "broke"),
    "another protocol": (_sends(b"220 smtp.example ESMTP\r\n"), "not that of a web server"),
    "a status that is none": (_sends(b"HTTP/1.1 abc OK\r\n\r\n"), "not that of a web server"),
    "a status of 99999": (_sends(b"HTTP/1.1 99999 OK\r\n\r\n"), "web server|answers"),
    "nothing": (_sends(b""), "broke|web server"),
    "a reset": (_resets, "the connection broke"),
    "404": (_sends(b"HTTP/1.1 404 Not\x1b[2J\r\nContent-Length: 0\r\n\r\n"), "it answers 404"),
    "500 without end": (_floods(b"HTTP/1.1 500 Oh\r\n\r\n", bytes(65536)), "it answers 500"),
    "a redirect to itself": (_sends(_to("/")), "it redirects more than 5 times"),
    "a redirect with a content without end": (
        _floods(_to("/"), bytes(65536)),
        "it redirects more than 5 times",
    ),
    "a redirect to nowhere": (_sends(b"HTTP/1.1 302 Found\r\n\r\n"), "it answers 302"),
    "a redirect to a file": (_sends(_to("file:///etc/passwd")), "not an http or https address"),
    "a redirect to ftp": (_sends(_to("ftp://example.com/a")), "not an http or https address"),
    "a redirect with a password": (_sends(_to("http://a:b@example.com/")), "password"),
    "a redirect that is none": (_sends(_to("http://[::1")), "not a valid address"),
    "a redirect of 100 KB": (_sends(_to("/" + "a" * 50_000)), "not a valid address"),
    "a redirect inside": (_sends(_to("http://127.0.0.2:PORT/")), "of this machine or its network"),
    "a permanent redirect inside": (
        _sends(_to("http://127.0.0.2:PORT/", 308)),
        "of this machine or its network",
    ),
    "a redirect inside by number": (
        _sends(_to("http://2130706434:PORT/")),
        "of this machine or its network",
    ),
}


@pytest.fixture
def only_one_address(monkeypatch):
    """127.0.0.1 stands for the public network; all else is as it is."""
    monkeypatch.setattr(addresses, "is_public", lambda ip: ip == "127.0.0.1" or is_public(ip))


@pytest.mark.parametrize("case", SERVERS)
def test_a_server_that_misbehaves_ends_in_a_sentence(only_one_address, case):
    answer, said = SERVERS[case]
    server = Server(answer)
    try:
        with refused(said, error=_RefusedError):
            _fetched(f"http://127.0.0.1:{server.port}/a.png")
    finally:
        server.close()
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)


def _fetched(url: str) -> None:
    try:
        fetch_bytes(url, most=2**20, seconds=2)
    except ValueError as error:
        raise _RefusedError(f"{error}.") from None


def test_a_redirect_is_followed(only_one_address):
    def answer(connection, server):
        moved = server.connections == 1
        content = OK + b"Content-Length: 2\r\n\r\nhi"
        connection.sendall(_to("/b") if moved else content)

    server = Server(answer)
    assert fetch_bytes(f"http://127.0.0.1:{server.port}/a", most=10, seconds=5) == b"hi"
    server.close()


MIRRORS = [
    "", "x", "http://example.com/a.ckpt", "file:///etc/passwd", "https://127.0.0.1/a.ckpt",
    "https://[::1]/a", "https://a:b@example.com/a", "ftp://example.com/a", "https://exa mple.com/",
    "https://localhost:22/", "https://example.com:x/",
]  # fmt: skip


@pytest.mark.parametrize("url", MIRRORS)
def test_a_mirror_that_is_no_public_https_address_is_refused(tmp_path, monkeypatch, url):
    monkeypatch.setattr(socket.socket, "connect", _never)
    with refused("could not be downloaded: .*: it (is|has)", error=FetchError):
        download.fetch(Download(tmp_path / "a.ckpt", (url,), size=10), bytes)
    assert not (tmp_path / "a.ckpt").exists()


MODEL_SERVERS = {
    "headers byte by byte": _trickles(OK, b"a"),
    "a content without end": _floods(OK + b"\r\n", bytes(65536)),
    "a length of 2^62": _sends(OK, b"Content-Length: 4611686018427387904\r\n\r\n"),
    "another protocol": _sends(b"220 smtp.example ESMTP\r\n"),
    "a redirect to a file": _sends(_to("file:///etc/passwd")),
    "a redirect to http": _sends(_to("http://example.com/a.ckpt")),
    "a redirect to itself": _sends(_to("/")),
    "a chunk that is none": _sends(OK, b"Transfer-Encoding: chunked\r\n\r\nhello\r\n"),
}


@pytest.mark.parametrize("case", MODEL_SERVERS)
def test_a_mirror_that_misbehaves_is_left_for_the_next(tmp_path, monkeypatch, case):
    monkeypatch.setenv("VQCLIP_LOCAL_NETWORK", "1")
    monkeypatch.setattr(download, "_TIMEOUT", (1.0, 0.5))
    monkeypatch.setattr(download, "_RETRIES", 0)
    monkeypatch.setattr(download, "_SPARE", 2**20)
    bad = Server(MODEL_SERVERS[case])
    good = Server(_sends(OK, b"Content-Length: 5\r\n\r\nmodel"))
    urls = [f"http://127.0.0.1:{server.port}/a.ckpt" for server in (bad, good)]
    with within_limits():
        file = Download(tmp_path / "a.ckpt", urls, size=5)
        _, content = download.fetch(file, lambda path: path.read_bytes())
    assert content == b"model"
    bad.close()
    good.close()


BOOKS = ["", "{", "[]", "3", '{"a": 1}', "[" * 10**6, "\x00", '{"a": "' + "b" * 2**21 + '"}']


@pytest.mark.parametrize("text", BOOKS, ids=range(len(BOOKS)))
def test_a_book_of_checksums_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "recorded.json").write_text(text)
    with refused(r"recorded\.json cannot be read: .*; delete it", error=FetchError):
        download.recorded(tmp_path / "a.ckpt")
