"""Downloads from a server on this machine that misbehaves as real ones do."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from mien.errors import WeightsError
from mien.lock import one_at_a_time
from mien.stages import WeightFile
from mien.weights import WeightStore

BODY = bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """/good honours Range; /cut ends each answer after 4000 bytes; /whole knows no Range; /bad
    sends other bytes; /long sends more than there is; /slow thinks first."""

    address = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {"/bad": BODY[::-1], "/long": BODY + b"more", "/short": BODY[:100]}.get(
            self.path, BODY
        )
        start = 0
        if wanted and self.path != "/whole":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if self.path == "/slow":
            sleep(0.5)
        self.wfile.write(body[start:][:4000] if self.path == "/cut" else body[start:])

    def log_message(self, *_: object) -> None:
        """Tests have nothing to say on stderr."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def file_at(server: Server, *paths: str) -> WeightFile:
    urls = tuple(server.address + path for path in paths)
    return WeightFile(name="net.bin", size=len(BODY), sha256=SHA, urls=urls, licence="MIT")


def part_of(tmp_path: Path, content: bytes) -> Path:
    part = tmp_path / "net.bin.part"
    part.write_bytes(content)
    return part


def test_a_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    store = WeightStore(cache=tmp_path)
    path = store.pull(file_at(server, "/good"), lambda done, size: steps.append((done, size)))
    assert path == tmp_path / "net.bin"
    assert path.read_bytes() == BODY
    assert steps[-1] == (len(BODY), len(BODY))
    assert [each.name for each in tmp_path.iterdir()] == ["net.bin"]


def test_a_file_that_is_here_is_not_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(BODY)
    WeightStore(cache=tmp_path).pull(file_at(server, "/good"))
    assert server.asked == []


def test_a_cut_connection_is_continued_where_it_ended(server: Server, tmp_path: Path) -> None:
    path = WeightStore(cache=tmp_path).pull(file_at(server, "/cut"))
    assert path.read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == ["", "bytes=4000-", "bytes=8000-"]


def test_a_part_of_an_earlier_run_is_continued(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path, BODY[:777])
    assert WeightStore(cache=tmp_path).pull(file_at(server, "/good")).read_bytes() == BODY
    assert server.asked == [("/good", "bytes=777-")]


def test_a_server_without_range_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path, BODY[:777])
    assert WeightStore(cache=tmp_path).pull(file_at(server, "/whole")).read_bytes() == BODY


@pytest.mark.parametrize("beginning", [b"x" * 777, b"x" * len(BODY), b"x" * (len(BODY) + 9)])
def test_a_part_with_other_content_is_thrown_away(
    server: Server, tmp_path: Path, beginning: bytes
) -> None:
    part_of(tmp_path, beginning)
    assert WeightStore(cache=tmp_path).pull(file_at(server, "/good")).read_bytes() == BODY


def test_the_next_address_is_asked_where_one_fails(server: Server, tmp_path: Path) -> None:
    file = file_at(server, "/missing", "/bad", "/good")
    assert WeightStore(cache=tmp_path).pull(file).read_bytes() == BODY


def test_every_failed_address_is_named_with_its_reason(server: Server, tmp_path: Path) -> None:
    file = file_at(server, "/missing", "/bad", "/long", "/short")
    with pytest.raises(WeightsError) as caught:
        WeightStore(cache=tmp_path).pull(file)
    at, wrong = server.address, hashlib.sha256(BODY[::-1]).hexdigest()
    assert str(caught.value) == (
        f"weights 'net.bin' could not be fetched: {at}/missing: HTTP 404 Not Found; "
        f"{at}/bad: sends another file: its SHA-256 is {wrong}, must be {SHA}; "
        f"{at}/long: sends more than the 10240 bytes that the file has; "
        f"{at}/short: the connection ended after 100 of 10240 bytes; "
        "run 'mien weights pull net.bin' again to go on, or put the file into a "
        "folder named by MIEN_WEIGHTS or by [weights] folders"
    )
    assert not (tmp_path / "net.bin").exists()


def test_nobody_listening_is_a_sentence_too(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/net.bin"
        file = WeightFile(name="net.bin", size=len(BODY), sha256=SHA, urls=(url,))
        with pytest.raises(WeightsError, match=r"the connection ended after 0 of 10240 bytes: .+"):
            WeightStore(cache=tmp_path).pull(file)


def test_only_web_addresses_are_opened(tmp_path: Path) -> None:
    source = part_of(tmp_path, BODY)
    file = WeightFile(name="net.bin", size=len(BODY), sha256=SHA, urls=(source.as_uri(),))
    with pytest.raises(WeightsError, match="not a web address"):
        WeightStore(cache=tmp_path / "cache").pull(file)


def test_offline_refuses_before_asking(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"downloads are switched off: offline"):
        WeightStore(cache=tmp_path, offline=True).pull(file_at(server, "/good"))
    assert server.asked == []


def test_a_file_without_address_cannot_be_pulled(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"put the file into a folder .+no address is known"):
        WeightStore(cache=tmp_path).pull(file_at(server))


def test_where_the_size_is_not_known_the_servers_counts(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    urls = (server.address + "/cut",)
    file = WeightFile(name="net.bin", sha256=SHA[:10], urls=urls)
    path = WeightStore(cache=tmp_path).pull(file, lambda done, size: steps.append((done, size)))
    assert path.read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == ["", "bytes=4000-", "bytes=8000-"]
    assert steps[-1] == (len(BODY), len(BODY))


@pytest.mark.parametrize("beginning", [b"", BODY, BODY[:9], b"x" * 777, BODY + b"x"])
def test_an_unknown_size_and_an_earlier_part_end_in_the_right_file(
    server: Server, tmp_path: Path, beginning: bytes
) -> None:
    part_of(tmp_path, beginning)
    file = WeightFile(name="net.bin", sha256=SHA, urls=(server.address + "/good",))
    assert WeightStore(cache=tmp_path).pull(file).read_bytes() == BODY


def test_another_file_of_unknown_size_is_refused(server: Server, tmp_path: Path) -> None:
    file = WeightFile(name="net.bin", sha256=SHA[:10], urls=(server.address + "/bad",))
    with pytest.raises(WeightsError, match=rf"must begin with {SHA[:10]}"):
        WeightStore(cache=tmp_path).pull(file)
    assert list(tmp_path.iterdir()) == []


def test_a_non_commercial_file_comes_once_the_user_agreed(server: Server, tmp_path: Path) -> None:
    file = replace(file_at(server, "/good"), non_commercial=True)
    store = WeightStore(cache=tmp_path)
    with pytest.raises(WeightsError, match="non-commercial"):
        store.pull(file)
    assert server.asked == []
    assert store.pull(file, accept_non_commercial=True).read_bytes() == BODY


PULL = """
import sys
from pathlib import Path
from mien.stages import WeightFile
from mien.weights import WeightStore
cache, url, size, sha = sys.argv[1:]
file = WeightFile(name="net.bin", size=int(size), sha256=sha, urls=(url,))
print(WeightStore(cache=Path(cache)).pull(file))
"""


def test_of_several_processes_one_downloads_and_all_get_the_file(
    server: Server, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", PULL, tmp_path, server.address + "/slow", len(BODY), SHA]
    started = [
        subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:
        out, _ = process.communicate()
        assert process.returncode == 0
        assert out.strip() == str(tmp_path / "net.bin")
    assert server.asked == [("/slow", "")]
    assert [each.name for each in tmp_path.iterdir()] == ["net.bin"]


def test_the_lock_of_a_process_that_died_holds_nobody(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin.lock").write_bytes(b"")
    assert WeightStore(cache=tmp_path).pull(file_at(server, "/good")).read_bytes() == BODY


def test_a_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        with one_at_a_time(tmp_path / "x.lock"):
            inside.append(number)
            most.append(len(inside))
            sleep(0.02)
            inside.remove(number)

    threads = [Thread(target=enter, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6
    assert list(tmp_path.iterdir()) == []
