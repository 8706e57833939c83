"""``herenow doctor`` on the port: free, Herenow's own, or somebody else's."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engine.api.problems import SERVER
from engine.author.config import load_config
from engine.cli.examine import Result, _port


def port_of(tmp_path, port: int) -> Result:
    file = tmp_path / "config.toml"
    file.write_text(f"[server]\nport = {port}\n")
    return _port(load_config(file, {}))


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version, server_version, sys_version = "HTTP/1.1", SERVER, ""

        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def version_string(self):
            return self.server_version

        def log_message(self, *args):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handler = Handler  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_its_own_running_server_is_no_fault(tmp_path, answering):
    told = port_of(tmp_path, answering.server_port)
    assert told.ok
    assert "in use by Herenow itself" in told.found


def test_another_web_server_on_the_port_is(tmp_path, answering):
    answering.handler.server_version = "nginx"
    told = port_of(tmp_path, answering.server_port)
    assert not told.ok
    assert told.fix == "Another program has this port: stop it, or set [server] port."


def test_a_port_that_nobody_answers_on_is_somebody_elses_and_a_free_one_is_free(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not port_of(tmp_path, port).ok
    assert port_of(tmp_path, port).ok
