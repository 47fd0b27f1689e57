"""The server of `umml serve`: answers, limits, refusals, a changing index."""

import contextlib
import io
import json
import shutil
import socket
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass

import numpy as np
import pytest
import uvicorn
from cmh_search import CodeIndex, IndexWriter
from PIL import Image
from umml_cli.commands.serve import is_loopback
from umml_cli.errors import UserError
from umml_cli.search import api
from umml_cli.search.limits import Limits, RateLimit
from umml_cli.search.open_searcher import approximate_search
from umml_cli.search.searcher import Query, Searcher
from umml_cli.search.server import make_app, warm_up


def png(side):
    """The bytes of a square picture."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(out, "PNG")
    return out.getvalue()


class ByLength(Searcher):
    """Encodes words by their number of letters, and every picture as all ones."""

    def words(self, words):
        if not words.strip():
            raise UserError("The query is empty.")
        signs = np.where(np.arange(8) < len(words), 1.0, -1.0).astype(np.float32)[None]
        return Query(codes=signs, values=signs, modality="text", remark="so it is" if "?" in words else None)

    def picture(self, _picture):
        return Query(codes=np.ones((1, 8), np.float32), values=None, modality="image")


@pytest.fixture
def index(tmp_path):
    CodeIndex.create(tmp_path / "index", bits=8, label_names=["low", "high"])
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(
            ids=[f"item {number}" for number in range(9)],
            image_codes=np.where(np.arange(8) < np.arange(9)[:, None], 1, -1),
            labels=np.stack([np.arange(9) < 5, np.arange(9) >= 5], axis=1),
            payload=[{"text": f"text {number} <b>"} for number in range(9)],
        )
    return CodeIndex(tmp_path / "index")


@dataclass
class Client:
    """Asks a server, and returns status and content."""

    address: str

    def __call__(self, path, body=None, **headers):
        request = urllib.request.Request(self.address + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def json(self, path, body=None, **headers):
        status, _, content = self(path, body, **headers)
        return status, json.loads(content)


@contextlib.contextmanager
def serving(app):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def client(index):
    with serving(
        make_app(ByLength(index, None), limits=Limits(requests=1000, upload=5000, pixels=100))
    ) as one:
        yield one


def ids(found):
    return [item["id"] for item in found[1]["items"]]


def test_words_items_and_pictures_are_answered(client):
    assert ids(client.json("/api/search?words=abc&k=2")) == ["item 3", "item 2"]
    assert ids(client.json("/api/search?like=item%204&k=2")) == ["item 3", "item 5"]
    assert ids(client.json("/api/search?k=2", png(9))) == ["item 8", "item 7"]
    assert ids(client.json("/api/search?words=abc&k=3&label=high")) == ["item 5", "item 6", "item 7"]
    status, answer = client.json("/api/search?words=abc?")
    assert (status, answer["remark"], len(answer["items"])) == (200, "so it is", 9)
    assert answer["items"][0]["payload"] == {"text": "text 4 <b>"}


def test_what_it_serves_is_described(client):
    status, about = client.json("/api/index")
    assert (status, about["items"], about["bits"], about["labels"]) == (200, 9, 8, ["low", "high"])
    assert client.json("/healthz") == (200, {"status": "ok", "items": 9})
    paths = client.json("/openapi.json")[1]["paths"]
    assert set(paths["/api/search"]) == {"get", "post"}
    assert "image/*" in paths["/api/search"]["post"]["requestBody"]["content"]
    assert ids(client.json("/api/sample")) == [f"item {number}" for number in range(9)]


def test_the_page_names_no_other_address(client):
    for path in ("/", "/style.css", "/serve.css", "/page.js"):
        status, headers, content = client(path)
        assert status == 200
        assert b"//" not in content.replace(b"</", b"").replace(b" // ", b"")
        assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert client("/../../etc/passwd")[0] == client("/results.html")[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/api/search", None, 422, "Give one thing to look for"),
        ("/api/search?words=a&like=b", None, 422, "Give one thing to look for"),
        ("/api/search?words=%20", None, 422, "The query is empty"),
        ("/api/search?like=nobody", None, 422, "no item with the id 'nobody'"),
        ("/api/search?words=a&label=bird", None, 422, "there is no label 'bird'"),
        ("/api/search?words=a&k=0", None, 422, "greater than or equal to 1"),
        ("/api/search?words=a&k=201", None, 422, "k must be at most 200, but it is 201"),
        ("/api/search?words=a&rerank=2", None, 422, "keeps no network outputs"),
        ("/api/search?words=a&combine=best", None, 422, "nearest"),
        ("/api/search", b"no picture", 422, "The picture is not an image of the formats"),
        ("/api/search", b"", 422, "The picture is empty"),
        ("/api/search", b"x" * 5001, 413, "at most"),
        ("/picture?id=item%203", None, 404, "has no picture"),
        ("/picture?id=nobody", None, 404, "no item with the id 'nobody'"),
        ("/picture", None, 422, "id"),
    ],
)
def test_what_cannot_be_answered_is_said(client, path, body, status, says):
    answered, _, content = client(path, body)
    assert answered == status
    assert says in content.decode()


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(client):
    status, answer = client.json("/api/search", png(11))
    assert status == 422
    assert answer["detail"] == "The picture has 11 x 11 pixels, more than the limit of 100."


def test_requests_are_limited_and_the_page_is_not(index):
    with serving(make_app(ByLength(index, None), limits=Limits(requests=0.5))) as client:
        assert client("/api/search?words=a")[0] == 200
        status, headers, content = client("/api/search?words=a")
        assert (status, headers["Retry-After"]) == (429, "2")
        assert b"Too many requests; wait" in content
        assert client("/")[0] == client("/healthz")[0] == 200


def test_a_bucket_fills_again():
    clock = [0.0]
    rate = RateLimit(2, now=lambda: clock[0])
    assert [rate.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rate.take("b") == 0
    clock[0] = 0.5
    assert [rate.take("a"), rate.take("a")] == [0, 0.5]


def test_other_names_of_the_server_are_refused(index):
    with serving(make_app(ByLength(index, None), hosts=["localhost", "127.0.0.1"])) as client:
        assert client("/healthz")[0] == 200
        assert client("/healthz", Host="evil.example")[0] == 400


def test_what_a_writer_changes_is_found_without_a_new_start(client, index):
    with IndexWriter(index.path) as writer:
        writer.delete(["item 3"])
        writer.add(ids=["new"], text_codes=[[1, 1, 1, -1, -1, -1, -1, -1]])
    assert ids(client.json("/api/search?words=abc&k=2")) == ["new", "item 2"]
    assert client.json("/healthz")[1]["items"] == 9


def test_a_picture_stays_that_of_its_item_when_rows_are_numbered_anew(tmp_path):
    for colour in ("red", "blue"):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{colour} &.png")
    index = CodeIndex.create(tmp_path / "index", bits=8, remarks={"pictures": str(tmp_path)})
    with IndexWriter(index.path) as writer:
        writer.add(ids=["first"], text_codes=np.ones((1, 8)))
        for colour in ("red", "blue"):
            name = f"{colour} &.png"
            writer.add(ids=[name], image_codes=np.ones((1, 8)), payload=[{"picture": name}])
    with serving(make_app(ByLength(index.refresh(), None))) as client:
        shown = {item["id"]: item["picture"] for item in client.json("/api/search?words=a")[1]["items"]}
        with IndexWriter(index.path) as writer:
            writer.delete(["first"])
            writer.compact()
        for name, channel in (("red &.png", 0), ("blue &.png", 2)):
            with Image.open(io.BytesIO(client(shown[name])[2])) as picture:
                pixel = picture.convert("RGB").getpixel((4, 4))
            assert max(range(3), key=pixel.__getitem__) == channel


def test_an_index_that_is_gone_is_said(index):
    with serving(make_app(ByLength(index, None))) as client:
        shutil.rmtree(index.path)
        status, answer = client.json("/api/search?words=abc")
        assert (status, "is gone; make the index again" in answer["detail"]) == (422, True)


def test_a_body_that_never_comes_is_given_up(index, monkeypatch):
    monkeypatch.setattr(api, "_BODY_SECONDS", 0.2)
    with serving(make_app(ByLength(index, None))) as client:
        host, port = client.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"POST /api/search HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
            assert b" 408 " in connection.recv(200)


def test_lists_are_told_and_left_when_the_index_changes(index):
    with serving(make_app(ByLength(index, None, approximate_search(index, 3)))) as client:
        about = client.json("/api/index")[1]
        assert not about["exact"]
        assert about["search"].startswith(
            "approximate search: faiss looks into 3 of 3 lists; recall@10 1.000"
        )
        assert ids(client.json("/api/search?words=abc&k=3"))[0] == "item 3"  # then two at one distance
        with IndexWriter(index.path) as writer:
            writer.delete(["item 3"])
        assert client.json("/api/index")[1]["search"] == "exact search"
        assert ids(client.json("/api/search?words=abc&k=2")) == ["item 2", "item 4"]


def test_reasons_why_something_cannot_be_asked_are_found(index):
    reasons = warm_up(Searcher(index, None))
    assert "has no model beside it" in reasons["text"]
    assert "has no model beside it" in reasons["image"]
    assert warm_up(ByLength(index, None)) == {"text": None, "image": None}


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False),  # noqa: S104
     ("::", False), ("192.168.0.1", False), ("example.org", False)],
)  # fmt: skip
def test_only_this_computer_is_loopback(host, loopback):
    assert is_loopback(host) == loopback
