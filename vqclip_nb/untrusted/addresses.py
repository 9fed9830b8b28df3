"""Fetch from untrusted web addresses within limits of time and bytes.

Every address, and every address that it redirects to, is looked up and must be a public one:
otherwise a picture's settings, or a mirror, could make this machine ask its own services, or those
of its network. `VQCLIP_LOCAL_NETWORK=1` allows local addresses, as for a mirror in a classroom.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import ipaddress
import os
import re
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping

from vqclip_nb.untrusted.files import in_bytes, read_stream
from vqclip_nb.untrusted.text import hidden_character, reason_of

SETTING = "VQCLIP_LOCAL_NETWORK"
_REDIRECTS = 5
_REDIRECTING = (301, 302, 303, 307, 308)
_LONGEST = 2000  # characters of an address
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.?)+|[0-9a-f:.]+(?:%\w+)?", re.IGNORECASE)
_EMBEDDING = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses, RFC 6052
# what an answer that breaks the protocol can raise
_BROKEN = (OSError, ValueError, http.client.HTTPException)


class AddressError(ValueError):
    """An address is refused; the message is the end of a sentence that names it."""


class SlowError(OSError):
    """A fetch took longer than it may."""


def local_allowed() -> bool:
    """Whether addresses of this machine and of its network may be asked: VQCLIP_LOCAL_NETWORK."""
    return os.environ.get(SETTING, "").lower() in ("1", "true", "yes", "on")


def fetch_bytes(url: str, *, most: int, seconds: float) -> bytes:
    """The content at an http(s) address: at most `most` bytes, in at most `seconds` altogether.

    Raises ValueError with the reason, as the end of a sentence that names the address.
    """
    try:
        with opened(url, seconds=seconds, answer_within=seconds) as (answer, _):
            length = answer.headers.get("Content-Length", "")
            if length.isdecimal() and len(length) < 20 and int(length) > most:
                raise ValueError(f"it is larger than the allowed {in_bytes(most)}")
            data = read_stream(answer, most)
            if answer.length:  # bytes that were announced and never came
                raise ConnectionError
            return data
    except _BROKEN as error:
        raise ValueError(failure(error)) from None


def failure(error: Exception) -> str:
    """Why a fetch failed, as the end of a sentence."""
    error = getattr(error, "reason", error) if isinstance(error, urllib.error.URLError) else error
    if isinstance(error, (SlowError, TimeoutError)):
        return "it does not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is invalid"
    if isinstance(error, AddressStatusError):
        return str(error)
    unreachable = getattr(error, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    if unreachable or isinstance(error, (socket.gaierror, ConnectionRefusedError)):
        return "it cannot be reached"
    if isinstance(error, (http.client.IncompleteRead, ConnectionError)):
        return "the connection broke"
    if isinstance(error, (http.client.HTTPException, ssl.SSLError)):
        return "its answer is not that of a web server"
    return str(error) if isinstance(error, ValueError) else reason_of(error)


@contextlib.contextmanager
def opened(
    url: str,
    *,
    seconds: float,
    answer_within: float,
    headers: Mapping[str, str] | None = None,
    secure: bool = False,
) -> Iterator[tuple[http.client.HTTPResponse, str]]:
    """A server's answer, to be read in the block, and the address that it came from.

    seconds: for all of it, then the connection is cut; answer_within: to the answer's first byte,
        and between two parts of it
    secure: refuse plain http, except from local addresses that VQCLIP_LOCAL_NETWORK allows

    Raises AddressError, SlowError, urllib's HTTPError for an error status, or what a broken answer
    raises: OSError, ValueError or HTTPException.
    """
    cut = _Cut()
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        answer, url = _answer(url, cut, answer_within, dict(headers or {}), secure)
        with answer:
            yield answer, url
        if cut.done:  # a connection that was cut may look like the answer's end
            raise SlowError
    except _BROKEN as error:
        raise (SlowError() if cut.done else error) from None
    finally:
        timer.cancel()


def _answer(
    url: str, cut: _Cut, seconds: float, headers: dict[str, str], secure: bool
) -> tuple[http.client.HTTPResponse, str]:
    """The answer after redirects, each of which is checked like the first address."""
    opener = urllib.request.build_opener(_Plain(cut), _Tls(cut), _NoRedirects)
    for _ in range(_REDIRECTS + 1):
        url = checked(url, secure=secure)
        head = threading.Timer(seconds, cut)  # a server may send its header byte by byte
        head.daemon = True
        head.start()
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "vqclip_nb"} | headers)
            return opener.open(request, timeout=seconds), url
        except urllib.error.HTTPError as error:
            target = error.headers.get("Location")
            error.close()
            if error.code not in _REDIRECTING or not target:
                raise AddressStatusError(error.code) from None
            url = _joined(url, target)
        finally:
            head.cancel()
    raise AddressError(f"it redirects more than {_REDIRECTS} times")


def _joined(url: str, target: str) -> str:
    try:
        return urllib.parse.urljoin(url, target)
    except ValueError:
        raise AddressError("it redirects to what is not a valid address") from None


class AddressStatusError(OSError):
    """A server answered with an error; code: its HTTP status."""

    def __init__(self, code: int) -> None:
        super().__init__(f"it answers {code}")
        self.code = code


def checked(url: str, *, secure: bool = False) -> str:
    """The address, with spaces and letters beyond ASCII quoted, if it may be asked.

    secure: refuse plain http, except to local addresses that VQCLIP_LOCAL_NETWORK allows

    Raises AddressError. A host's name is looked up only when it is connected to.
    """
    url = url.strip(" ")
    if len(url) > _LONGEST or hidden_character(url) or re.search(r"[^\S ]|\\", url):
        raise AddressError("it is not a valid address")
    try:
        parts = urllib.parse.urlsplit(_quoted(url))
        host, scheme = parts.hostname or "", parts.scheme
        _ = parts.port  # raises for one that is not a number
    except ValueError:
        raise AddressError("it is not a valid address") from None
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise AddressError("it is not an http or https address of a host")
    if parts.username is not None or parts.password is not None:
        raise AddressError("it has a user's name or password in it")
    local = _is_local_name(host)
    if local and not local_allowed():
        raise AddressError(_LOCAL)
    if secure and scheme == "http" and not (local_allowed() and local):
        raise AddressError("it is not an https address")
    return parts.geturl()


def _quoted(url: str) -> str:
    """The address in ASCII: the host's name as DNS has it, the rest with percent signs."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    return urllib.parse.quote(parts._replace(netloc=host).geturl(), safe=_SAFE)


_SAFE = "%/:=&?~#+!$,;'@()*[]"
_LOCAL = f"it is an address of this machine or its network, which {SETTING}=1 would allow"


def _is_local_name(host: str) -> bool:
    """Whether a host is local as far as its name tells; others are looked up on connecting."""
    name = urllib.parse.unquote(host).rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not is_public(name)
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet; ValueError if it is none."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _EMBEDDING:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(each is not None and not each.is_global for each in inner):
            return False
    return (ip.is_global or getattr(ip, "ipv4_mapped", None) is not None) and not ip.is_multicast


class _Cut:
    """Cuts the connections of a fetch that takes too long; `done` says that it did."""

    def __init__(self) -> None:
        self.done = False
        self._sockets: list[socket.socket] = []

    def add(self, connected: socket.socket) -> None:
        self._sockets.append(connected)
        if self.done:
            self()

    def __call__(self) -> None:
        self.done = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # also below an SSL socket


def _connected(host: str, port: int, timeout: float, cut: _Cut) -> socket.socket:
    """A connection to the first address of the host that answers; all must be allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise AddressError("it is not a valid address") from None
    if not local_allowed() and not all(is_public(address[0]) for *_, address in found):
        raise AddressError(_LOCAL)
    failed: OSError = OSError("it cannot be reached")
    for family, kind, protocol, _, address in found:
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(timeout)
            cut.add(made)
            made.connect(address)
            return made
        except OSError as error:
            made.close()
            failed = error
    raise failed


class _PlainConnection(http.client.HTTPConnection):
    cut: _Cut

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port, self.timeout, self.cut)


class _TlsConnection(http.client.HTTPSConnection):
    cut: _Cut

    def connect(self) -> None:
        plain = _connected(self.host, self.port, self.timeout, self.cut)
        try:
            self.sock = _tls().wrap_socket(
                plain, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.cut.add(self.sock)  # the handshake, too, can take for ever
            self.sock.do_handshake()
        except BaseException:
            (self.sock or plain).close()
            raise


def _tls() -> ssl.SSLContext:
    """The certificates of this machine, and those of certifi, since some Pythons find none."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, cut: _Cut) -> None:
        super().__init__()
        self.connection = type("Connection", (_PlainConnection,), {"cut": cut})

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if _is_proxied(req):
            return super().http_open(req)
        return self.do_open(self.connection, req)


class _Tls(urllib.request.HTTPSHandler):
    def __init__(self, cut: _Cut) -> None:
        super().__init__(context=_tls())
        self.connection = type("Connection", (_TlsConnection,), {"cut": cut})

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if _is_proxied(req):
            return super().https_open(req)
        return self.do_open(self.connection, req)


def _is_proxied(request: urllib.request.Request) -> bool:
    """Whether a proxy that the user has set up is asked instead: it looks up the host itself."""
    return request.host != urllib.parse.urlsplit(request.full_url).netloc


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def http_error_302(self, *arguments: object) -> None:
        """Leave redirects to the caller, which checks them; their content is not read."""

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302
