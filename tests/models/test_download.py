"""Downloads from misbehaving servers give the right file, or an error and no file."""

import hashlib
import os
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vqclip_nb.models import download as fetching
from vqclip_nb.models.download import Download, FetchError

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Server(BaseHTTPRequestHandler):
    """Each path is a way to misbehave.

    asked: how often each was asked for; starts: where in the file each answer began
    """

    asked: Counter = Counter()
    starts: list[int] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        way = self.path.strip("/")
        self.asked[way] += 1
        getattr(self, f"_{way.replace('-', '_')}")()

    def _send(self, data=CONTENT, *, ranges=True, cut=None, pause=0.0):
        start = 0
        if ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.starts.append(start)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data) if cut is None else int(len(data) * cut)
        for at in range(start, end, 200_000):
            self.wfile.write(data[at : min(at + 200_000, end)])
            time.sleep(pause)
        if cut is not None:
            self.close_connection = True
            self.connection.close()

    def _whole(self):
        self._send()

    def _drops(self):
        """Breaks at 40 %, the first time."""
        self._send(cut=0.4 if self.asked["drops"] == 1 else None)

    def _always_drops(self):
        self._send(cut=0.4 if "Range" not in self.headers else 0.0)

    def _drops_without_ranges(self):
        self._send(ranges=False, cut=0.4 if self.asked["drops-without-ranges"] == 1 else None)

    def _flipped(self):
        self._send(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))

    def _missing(self):
        self.send_error(404)

    def _busy(self):
        self.send_error(503)

    def _stalls(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:500_000])
        self.wfile.flush()
        time.sleep(4)

    def _trickles(self):
        self._send(cut=0.9, pause=0.4)

    def _redirects(self):
        self.send_response(302)
        self.send_header("Location", "/whole")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _page(self):
        self._send(b"<html>Please sign in.</html>")

    def log_message(self, *words):
        pass


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away is what these tests are about."""


@pytest.fixture(autouse=True)
def _local(monkeypatch):
    """The mirrors of these tests are on this machine."""
    monkeypatch.setenv("VQCLIP_LOCAL_NETWORK", "1")


def fetch(file: Download) -> str:
    """Fetch a file that any content is allowed for; its checksum."""
    return fetching.fetch(file, Path.read_bytes)[0]


@pytest.fixture
def server(monkeypatch):
    """Urls of a server of this machine, by the way it behaves."""
    monkeypatch.setattr(fetching, "_TIMEOUT", (2.0, 1.0))
    monkeypatch.setattr(fetching, "_RETRIES", 1)
    _Server.asked.clear()
    served = _QuietServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield lambda way: f"http://127.0.0.1:{served.server_port}/{way}"
    served.shutdown()


def _download(tmp_path, *urls, **options) -> Download:
    return Download(
        tmp_path / "model.ckpt", urls, **{"sha256": SHA256, "size": 3_000_000} | options
    )


@pytest.mark.parametrize("way", ["whole", "drops", "drops-without-ranges", "redirects"])
def test_what_can_be_fetched_is_whole(server, tmp_path, way):
    assert fetch(_download(tmp_path, server(way))) == SHA256
    assert (tmp_path / "model.ckpt").read_bytes() == CONTENT
    assert {p.name for p in tmp_path.iterdir()} <= {"model.ckpt", "model.ckpt.lock"}


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("always-drops", "the connection broke"),
        ("flipped", "it serves a different file"),
        ("missing", "it answers 404"),
        ("busy", "it answers 503"),
        ("stalls", "it does not answer in time"),
        ("page", "it serves a different file"),
    ],
)
def test_a_failed_download_is_reported_and_leaves_no_file(server, tmp_path, way, said):
    with pytest.raises(FetchError, match=rf"127\.0\.0\.1: {said}.*by hand"):
        fetch(_download(tmp_path, server(way)))
    assert not (tmp_path / "model.ckpt").exists()
    # the next mirror succeeds, whatever the first one left behind
    fetch(_download(tmp_path, server(way), server("whole")))
    assert (tmp_path / "model.ckpt").read_bytes() == CONTENT


def test_a_broken_download_resumes_where_it_broke(server, tmp_path):
    with pytest.raises(FetchError, match="The partial download will resume"):
        fetch(_download(tmp_path, server("always-drops")))
    (partial,) = tmp_path.glob("*.part")
    begun = partial.stat().st_size
    assert begun > 1_000_000
    fetch(_download(tmp_path, server("whole")))
    assert _Server.starts[-1] == begun


def test_without_a_checksum_two_mirrors_files_are_never_joined(server, tmp_path):
    urls = server("always-drops"), server("whole")
    fetch(_download(tmp_path, *urls, sha256=""))
    assert (tmp_path / "model.ckpt").read_bytes() == CONTENT


def test_an_unknown_checksum_is_recorded_and_required_next_time(server, tmp_path):
    fetch(_download(tmp_path, server("whole"), sha256=""))
    (tmp_path / "model.ckpt").unlink()
    with pytest.raises(FetchError, match="it serves a different file"):
        fetch(_download(tmp_path, server("flipped"), sha256=""))
    fetch(_download(tmp_path, server("whole"), sha256=""))
    assert (tmp_path / "model.ckpt").read_bytes() == CONTENT


def _a_model(file: Path) -> bytes:
    """A reader that takes only the right content."""
    if file.read_bytes() != CONTENT:
        raise ValueError("it is a page")
    return CONTENT


def test_what_is_no_model_is_not_recorded_and_the_next_mirror_is_tried(server, tmp_path):
    urls = server("page"), server("whole")
    found = fetching.fetch(_download(tmp_path, *urls, sha256=""), _a_model)
    assert found == (SHA256, CONTENT)
    assert fetching.recorded(tmp_path / "model.ckpt") == SHA256


def test_if_no_mirror_serves_a_model_nothing_is_recorded(server, tmp_path):
    with pytest.raises(FetchError, match=r"it serves a file that is no model \(it is a page\)"):
        fetching.fetch(_download(tmp_path, server("page"), sha256=""), _a_model)
    assert {file.name for file in tmp_path.iterdir()} == {"model.ckpt.lock"}


def test_a_file_put_there_by_hand_is_recorded_only_after_it_was_read(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"<html>")
    with pytest.raises(ValueError, match="it is a page"):
        fetching.fetch(_download(tmp_path, sha256=""), _a_model)
    assert not fetching.recorded(tmp_path / "model.ckpt")


def test_a_server_that_trickles_is_abandoned(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_PATIENCE", 0.5)
    monkeypatch.setattr(fetching, "_SLOWEST", 10_000_000)
    with pytest.raises(FetchError, match="it sends less than"):
        fetch(_download(tmp_path, server("trickles")))


def test_without_a_network_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_RETRIES", 0)
    with pytest.raises(FetchError, match="is this machine online"):
        fetch(_download(tmp_path, "http://127.0.0.1:9/a", "https://name.invalid/a"))


def test_a_disk_that_is_too_small_is_reported_before_any_request(server, tmp_path):
    with pytest.raises(FetchError, match=r"needs .* MB in .*, which has .* MB free"):
        fetch(_download(tmp_path, server("whole"), size=10**15))
    assert not _Server.asked


def test_a_file_put_there_by_hand_is_verified_and_used(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(CONTENT)
    fetch(_download(tmp_path))
    assert (tmp_path / "model.ckpt").read_bytes() == CONTENT
    (tmp_path / "model.ckpt").write_bytes(CONTENT[:-1])
    with pytest.raises(FetchError, match=r"checksum .*, expected .*: delete it"):
        fetch(_download(tmp_path))


def test_two_concurrent_fetches_download_once(server, tmp_path):
    file = _download(tmp_path, server("whole"))
    threads = [threading.Thread(target=fetch, args=(file,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _Server.asked["whole"] == 1
