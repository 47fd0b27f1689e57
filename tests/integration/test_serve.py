"""`umml serve` as a user runs it: it starts, answers, stops, and its page works in a browser."""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request

import cmh_data
import pytest
from running import UMML, run_umml

SHOTS = os.environ.get("UMML_SCREENSHOTS")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    run_umml(folder, "train", "emoji", "--preset", "small", "--epochs", 2, "--bits", 32, "--out", "model")
    run_umml(folder, "index", "model", "emoji", "--keep-outputs", "float16")
    return folder / "model"


@contextlib.contextmanager
def served(model, host="127.0.0.1"):
    """A server's process, its port, and what it said before it served."""
    process = subprocess.Popen(
        [UMML, "serve", model, "--port", "0", "--host", host],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = ""
        for line in process.stdout:
            if found := re.search(rf"http://{re.escape(host)}:(\d+)", line):
                break
            said += line
        yield process, int(found.group(1)), said
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "host", "says"),
    [
        (signal.SIGINT, "127.0.0.1", ""),
        (signal.SIGTERM, "0.0.0.0", "whoever reaches 0.0.0.0 can search and see this collection"),  # noqa: S104
    ],
)
def test_it_answers_says_who_can_see_it_and_ends_when_asked_to(model, number, host, says):
    with served(model, host) as (process, port, said):
        assert says in said
        assert bool(says) == bool(said)
        answer_and_end(process, f"http://127.0.0.1:{port}", number)


def answer_and_end(process, address, number):
    with urllib.request.urlopen(address + "/api/search?words=cat&k=3", timeout=60) as response:
        assert len(json.load(response)["items"]) == 3
    body = cmh_data.sample_pictures()["🐈"]
    with urllib.request.urlopen(address + "/api/search?k=3", data=body, timeout=60) as response:
        found = json.load(response)["items"]
    with urllib.request.urlopen(address + found[0]["picture"], timeout=60) as response:
        assert response.read()[8:12] == b"WEBP"
    process.send_signal(number)
    printed, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert printed.endswith("Ended.\n")


def test_a_port_in_use_is_named(model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_umml(model.parent, "serve", "model", "--port", taken.getsockname()[1], check=False)
    assert done.returncode == 2
    assert "Nothing can listen on 127.0.0.1 port" in done.stderr


@pytest.fixture(scope="module")
def address(model):
    with served(model) as (_, port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_answers_in_a_browser(address, chromium, tmp_path, width, scheme):
    page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said = []  # what the browser complains of, and what it asks others for
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(address)
    page.wait_for_selector("#results .picture")
    assert page.inner_text("#status") == "Some of 1576 items"

    search_words(page)
    shoot(page, f"words-{width}-{scheme}")
    filter_by_label(page)
    search_by_a_result(page)
    search_by_picture(page, tmp_path)
    shoot(page, f"picture-{width}-{scheme}")
    drop_and_paste(page)
    search_by_what_is_none(page, tmp_path)

    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(246, 246, 243)", "dark": "rgb(22, 24, 27)"}[scheme]
    others = [one for one in said if not one.startswith((address, "data:", "blob:")) and "422" not in one]
    assert others == []  # 422 is the answer to what is no picture
    page.close()


def shoot(page, name):
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def search_words(page):
    page.keyboard.press("/")
    page.keyboard.type("cat xyzzy")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results .distance")
    assert page.inner_text("#remark") == "1 of 2 words are in the vocabulary; not xyzzy."
    assert page.locator("#results li").count() == 25  # and "Show more"


def filter_by_label(page):
    page.click("summary")
    flags = page.locator(".chip", has_text="Flags")
    with page.expect_response(lambda response: "label=Flags" in response.url):
        flags.click()
    page.wait_for_selector(".busy", state="detached")
    assert set(page.locator("#results .labels").all_inner_texts()) == {"Flags"}
    with page.expect_response(lambda response: "label=" not in response.url):
        flags.click()
    page.wait_for_selector(".busy", state="detached")
    page.click("summary")


def search_by_a_result(page):
    page.focus("#words")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    name = page.evaluate("document.activeElement.title")
    assert name == page.locator("#results button").nth(1).get_attribute("title")
    page.keyboard.press("Enter")
    page.wait_for_selector("#query img")
    page.wait_for_selector(".busy", state="detached")
    assert name not in page.locator("#results button").evaluate_all("all => all.map(one => one.title)")
    page.go_back()
    page.wait_for_selector("#query", state="hidden")
    assert page.input_value("#words") == "cat xyzzy"


def search_by_picture(page, folder):
    (folder / "cat.png").write_bytes(cmh_data.sample_pictures()["🐈"])
    page.set_input_files("#file", folder / "cat.png")
    page.wait_for_selector("text=Like your picture")
    page.wait_for_selector(".busy", state="detached")
    page.wait_for_selector("#results .distance")


TRANSFER = """
content => {
  const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "picture.png", { type: "image/png" }));
  return transfer;
}
"""


def drop_and_paste(page):
    """A dropped and a pasted picture are searched by; the frame for dropping comes and goes."""
    found = []
    for name, kind in (("🐈", "drop"), ("🏠", "paste")):
        content = base64.b64encode(cmh_data.sample_pictures()[name]).decode()
        transfer = page.evaluate_handle(TRANSFER, content)
        with page.expect_response(lambda response: response.request.method == "POST") as response:
            if kind == "drop":
                page.dispatch_event("#results", "dragover", {"dataTransfer": transfer})
                assert page.is_visible("#drop")
                page.dispatch_event("#results", "drop", {"dataTransfer": transfer})
            else:
                page.evaluate(
                    "data => window.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))",
                    transfer,
                )
        assert response.value.status == 200
        page.wait_for_selector(".busy", state="detached")
        assert not page.is_visible("#drop")
        assert page.inner_text("#query") == "Like your picture"
        titles = page.locator("#results button").evaluate_all("all => all.map(one => one.title)")
        assert titles[:-1] == [item["id"] for item in response.value.json()["items"]]
        found.append(titles)
    assert found[0] != found[1]


def search_by_what_is_none(page, folder):
    (folder / "no.png").write_text("no picture")
    page.set_input_files("#file", folder / "no.png")
    page.wait_for_selector("#status.error")
    assert "The picture is no image" in page.inner_text("#status")
