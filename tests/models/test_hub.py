"""The Hugging Face Hub as a mirror: pinned revision, resume, token, errors in one sentence."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vqclip_nb.models import download
from vqclip_nb.models.download import Download, FetchError, fetch
from vqclip_nb.models.hub import HubError, fetch_from_hub, parse_address

CONTENT = os.urandom(16_000_000)  # the client writes pieces of 10 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "81e41139272c038412e4fe8f1c52a51ebbf95b8b"
ADDRESS = f"https://huggingface.co/owner/model/resolve/{COMMIT}/folder/vq.pt"


class _Hub(BaseHTTPRequestHandler):
    """One file at one commit, as the Hub serves it; `breaks` answers stop at 75 %."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict]] = []
    breaks = 0

    def do_HEAD(self):
        self._answer(b"")

    def do_GET(self):
        self._answer(CONTENT)

    def _answer(self, body):
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "/resolve/" in self.path:  # the client also asks what the Hub can do
            self.asked.append((self.command, self.path, headers))
        if self.path != f"/owner/model/resolve/{COMMIT}/folder/vq.pt":
            code = "EntryNotFound" if "/model/" in self.path else "RepoNotFound"
            self.send_response(404 if "/model/" in self.path else 401)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{SHA256}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        if body and type(self).breaks:
            type(self).breaks -= 1
            self.wfile.write(body[: int(0.75 * len(body))])
            self.close_connection = True
            self.connection.close()
        elif body:
            self.wfile.write(body[start:])

    def log_message(self, *words):
        pass


@pytest.fixture
def hub(monkeypatch):
    """A Hub of this machine; what it was asked for."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A connection that breaks is what a test is about."""

    _Hub.asked, _Hub.breaks = [], 0
    server = Server(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    yield _Hub
    server.shutdown()


def test_only_addresses_of_the_hub_are_the_hubs():
    assert parse_address(ADDRESS) == {
        "file": "folder/vq.pt", "repository": "owner/model", "revision": COMMIT, "kind": "model",
    }  # fmt: skip
    dataset = parse_address("https://huggingface.co/datasets/owner/set/resolve/main/a.ckpt")
    assert (dataset["kind"], dataset["repository"]) == ("dataset", "owner/set")
    for other in ("https://example.org/owner/model/resolve/main/a", "https://huggingface.co/owner"):
        assert parse_address(other) is None


def test_a_file_comes_at_its_revision_with_the_token_of_the_environment(hub, tmp_path):
    path = tmp_path / "model.pt"
    assert fetch(Download(path, [ADDRESS], SHA256, len(CONTENT)), Path.read_bytes) == (
        SHA256,
        CONTENT,
    )
    assert path.read_bytes() == CONTENT
    assert {asked[1] for asked in hub.asked} == {f"/owner/model/resolve/{COMMIT}/folder/vq.pt"}
    assert hub.asked[0][2]["authorization"] == "Bearer hf_of_the_environment"
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == ["model.pt"]


def test_a_broken_download_resumes(hub, tmp_path):
    hub.breaks = 1
    path = tmp_path / "model.pt"
    fetch(Download(path, [ADDRESS], SHA256, len(CONTENT)), Path.read_bytes)
    assert path.read_bytes() == CONTENT
    ranges = [asked[2].get("range") for asked in hub.asked if asked[0] == "GET"]
    assert (ranges[0], ranges[-1]) == (None, f"bytes={10 * 2**20}-")


def test_another_file_than_the_published_one_is_refused(hub, tmp_path):
    with pytest.raises(FetchError, match="it serves a different file"):
        fetch(Download(tmp_path / "model.pt", [ADDRESS], "0" * 64, len(CONTENT)), Path.read_bytes)
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (ADDRESS.replace("vq.pt", "other.pt"), "it has no such file"),
        (ADDRESS.replace("owner/model", "owner/gated"), "it asks for a token: .* set HF_TOKEN"),
    ],
)
def test_what_the_hub_does_not_give_is_said(hub, tmp_path, address, why):
    with pytest.raises(FetchError, match=f"huggingface.co: {why}"):
        fetch(Download(tmp_path / "model.pt", [address], SHA256), Path.read_bytes)


def test_offline_the_hub_is_not_asked(hub, tmp_path):
    with pytest.raises(HubError, match="cannot be reached"):
        fetch_from_hub("vq.pt", "owner/model", COMMIT, folder=tmp_path, offline=True)
    assert hub.asked == []


def test_a_full_disk_is_not_taken_for_a_broken_connection(hub, tmp_path, monkeypatch):
    def full(**options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "fetch_from_hub", full)
    with pytest.raises(FetchError, match="could not be written"):
        fetch(Download(tmp_path / "model.pt", [ADDRESS], SHA256), Path.read_bytes)
