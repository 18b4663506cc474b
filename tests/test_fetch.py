"""Downloads from a real HTTP server that cuts, lies, dawdles and refuses."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import tarfile
import threading
import time
import zipfile

import pytest
from click.testing import CliRunner

from data_tools import downloads
from data_tools.cli import data
from data_tools.corpora import CORPORA
from data_tools.downloads import FetchError
from data_tools.licences import judge
from wakeword.errors import SpecError, WakewordError

BODY = bytes(range(256)) * 4000  # 1 MB


def archive(kind: str, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as zipped:
            for name, content in members.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; ``cuts`` times it closes the line after a third of what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts = 0
        self.status = 200
        self.ranges = True
        self.block_wait_s = 0.0
        self.requests: list[str | None] = []
        self.sent = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        body = server.files[self.path.lstrip("/")]
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if first >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        rest = body[first:]
        if server.cuts > 0:
            server.cuts -= 1
            rest = rest[: len(rest) // 3]
        for start in range(0, len(rest), 65536):
            self.wfile.write(rest[start : start + 65536])
            server.sent += len(rest[start : start + 65536])
            time.sleep(server.block_wait_s)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "RETRY_WAIT", 0.001)
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path / "cache"))
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(server: Server, tmp_path, name: str, body: bytes, **fields):
    """Serve a body and fetch it by a catalogue; the folder."""
    server.files[name] = body
    digest = fields.pop("hash", f"sha256:{hashlib.sha256(body).hexdigest()}")
    size_mb = fields.pop("size_mb", 1.0)
    line = f', hash = "{digest}"' if digest else ""
    (tmp_path / "catalog.toml").write_text(
        '[[corpora]]\nname = "mine"\nwhat = "a test"\nlicence = "CC0"\n'
        f'files = [{{ url = "{server.url(name)}", size_mb = {size_mb}{line} }}]\n'
    )
    result = CliRunner().invoke(
        data, ["fetch", "mine", "--catalog", str(tmp_path / "catalog.toml")], standalone_mode=False
    )
    if result.exception:
        raise result.exception
    return tmp_path / "cache" / "corpora" / "mine"


def test_a_cut_connection_goes_on_where_it_was_cut(server, tmp_path):
    server.cuts = 4
    folder = fetch(server, tmp_path, "a.bin", BODY)
    assert (folder / "a.bin").read_bytes() == BODY
    assert len(server.requests) == 5
    assert server.sent == len(BODY)


def test_a_server_without_ranges_starts_again_and_the_file_is_whole(server, tmp_path):
    server.cuts, server.ranges = 2, False
    folder = fetch(server, tmp_path, "a.bin", BODY)
    assert (folder / "a.bin").read_bytes() == BODY


def test_a_stopped_download_goes_on_in_the_next_run(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 1)
    server.cuts = 1
    with pytest.raises(FetchError, match="run the same command to go on"):
        fetch(server, tmp_path, "a.bin", BODY)
    folder = fetch(server, tmp_path, "a.bin", BODY)
    assert (folder / "a.bin").read_bytes() == BODY
    assert server.requests[-1] is not None
    assert server.sent == len(BODY)


def test_a_slow_server_is_waited_for(server, tmp_path):
    server.block_wait_s = 0.03
    folder = fetch(server, tmp_path, "a.bin", BODY)
    assert (folder / "a.bin").read_bytes() == BODY


def test_wrong_bytes_are_deleted_and_told(server, tmp_path):
    with pytest.raises(FetchError, match="expected"):
        fetch(server, tmp_path, "a.bin", BODY, hash="sha256:" + "0" * 64)
    folder = tmp_path / "cache" / "corpora" / "mine"
    assert not list(folder.glob("a.bin*"))


def test_without_a_published_hash_the_first_download_sets_it(server, tmp_path):
    folder = fetch(server, tmp_path, "a.bin", BODY, hash="")
    for path in (folder / "a.bin", folder / downloads.UNPACKED):
        path.unlink()
    with pytest.raises(FetchError, match="expected"):
        fetch(server, tmp_path, "a.bin", BODY[::-1], hash="")


def test_what_is_there_is_not_loaded_again(server, tmp_path):
    fetch(server, tmp_path, "a.bin", BODY)
    fetch(server, tmp_path, "a.bin", BODY)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_unpacked_and_removed(server, tmp_path, kind):
    body = archive(kind, {"noise/rain.wav": b"drop", "README": b"hello"})
    folder = fetch(server, tmp_path, f"a.{kind}", body)
    assert (folder / "noise" / "rain.wav").read_bytes() == b"drop"
    assert not (folder / f"a.{kind}").exists()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_never_writes_outside_its_folder(server, tmp_path, kind):
    body = archive(kind, {"../../../escaped": b"bad"})
    try:
        fetch(server, tmp_path, f"a.{kind}", body)
    except WakewordError as error:
        assert "escaped" in str(error)
    assert not [p for p in tmp_path.rglob("escaped") if "mine" not in p.parts]


def test_a_page_in_place_of_an_archive_is_told(server, tmp_path):
    with pytest.raises(FetchError, match="not an archive"):
        fetch(server, tmp_path, "a.zip", b"<html>please log in</html>")


@pytest.mark.parametrize(("status", "told"), [(404, "404"), (403, "403"), (503, "503")])
def test_a_refusal_is_one_clear_line(server, tmp_path, status, told):
    server.status = status
    with pytest.raises(FetchError, match=told) as caught:
        fetch(server, tmp_path, "a.bin", BODY)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == (1 if status < 500 else downloads.TRIES)


def test_a_full_disk_is_told_before_anything_is_loaded(server, tmp_path):
    with pytest.raises(FetchError, match="WAKEWORD_CACHE"):
        fetch(server, tmp_path, "a.bin", BODY, size_mb=1e9)
    assert server.requests == []


def test_no_server_is_one_clear_line(server, tmp_path):
    name = "http://127.0.0.1:9/x.bin"
    (tmp_path / "catalog.toml").write_text(
        '[[corpora]]\nname = "mine"\nwhat = ""\nlicence = ""\n'
        f'files = [{{ url = "{name}", size_mb = 1.0 }}]\n'
    )
    result = CliRunner().invoke(
        data, ["fetch", "mine", "--catalog", str(tmp_path / "catalog.toml")], standalone_mode=False
    )
    assert isinstance(result.exception, FetchError) and "refused" in str(result.exception)


def test_an_unknown_name_names_the_nearest(server):
    result = CliRunner().invoke(data, ["fetch", "libirspeech-dev-clean"], standalone_mode=False)
    assert isinstance(result.exception, SpecError)
    assert "librispeech-dev-clean" in str(result.exception)


def test_the_list_tells_size_and_licence_of_each():
    output = CliRunner().invoke(data, ["fetch", "--list"]).stdout
    for corpus in CORPORA.values():
        assert corpus.name in output and corpus.licence in output and corpus.size_mb > 0
        assert all(
            re.fullmatch(r"(md5:\w{32}|sha256:\w{64})", f.hash) for f in corpus.files if f.hash
        )
    without_hash = [corpus.name for corpus in CORPORA.values() if not corpus.hashed]
    assert without_hash == ["esc-50"]
    assert output.count("no published hash") == 1
    assert not judge(CORPORA["esc-50"].licence).products
    assert judge(CORPORA["musan"].licence).products
