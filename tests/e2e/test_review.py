"""The review page in a real browser, served as users start it: load, vote by keyboard, undo, export, train."""

import csv
import os
import shutil
import signal
import subprocess
from time import monotonic, sleep
from urllib.request import urlopen

import pytest

from ml.core.paths import DataRoot
from ml.layering.labels import LabelLog
from ml.storage import keys
from tests.e2e.browser import LOBFORGE, free_port, opened
from tests.support.cues import store
from tests.support.shared import made_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CUES = 6


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("review") / "root"
    return DataRoot(shutil.copytree(made_once(tmp_path_factory, "cues", store), folder))


@pytest.fixture(scope="module")
def page(root):
    """The page in a browser; what it asked for and complained of lies in `page.asked` and `page.complaints`."""
    port = free_port()
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    command = [LOBFORGE, "layering", "review", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    deadline = monotonic() + 60
    while True:
        try:
            urlopen(address, timeout=2).close()
            break
        except OSError:
            assert monotonic() < deadline, "the server did not start within a minute"
            sleep(0.2)
    with opened(address) as page:
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) in (0, -signal.SIGTERM)


def message(page, text):
    page.locator("#message", has_text=text).wait_for()


def verdicts(page):
    """What the queue shows beside each cue."""
    return page.locator("#queue li span:last-child").all_inner_texts()


def press(page, key, told):
    page.keyboard.press(key)
    message(page, told)


def test_a_review_from_the_first_look_to_the_request_to_train(root, page, tmp_path):
    page.goto("/")
    page.locator("#title", has_text="3 ").wait_for()
    page.wait_for_function("document.getElementById('picture').naturalWidth > 1000")
    assert page.locator("#queue li").count() == CUES
    assert page.locator("#features tbody tr").count() == 24
    assert page.locator("#score").count() == 0

    press(page, "a", "No API key is configured, so nothing can be changed. Make one with `lobforge key create NAME`.")
    page.fill("#key", keys.create(root, "ann"))
    page.keyboard.press("Enter")
    page.get_by_text("as ann").wait_for()

    press(page, "a", "agree: stored")
    page.locator("#score", has_text="label: layering (silver)").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator("#queue li.now").nth(0).wait_for()
    page.get_by_text("Score and reasons are shown after your vote.").wait_for()
    page.fill("#note", "a hedge, Z and A")
    page.keyboard.press("Enter")
    press(page, "r", "reject: stored")
    page.keyboard.press("ArrowDown")
    page.get_by_text("Score and reasons are shown after your vote.").wait_for()
    press(page, "u", "unsure: stored")
    assert verdicts(page) == ["agree", "reject", "unsure", "", "", ""]
    assert f"3 of {CUES} voted; labels: 1 layering, 1 not" in page.locator("#progress").inner_text()
    press(page, "z", "taken back")
    page.get_by_text("Score and reasons are shown after your vote.").wait_for()
    assert verdicts(page) == ["agree", "reject", "", "", "", ""]
    page.keyboard.press("ArrowUp")
    page.locator("#score", has_text="not layering").wait_for()

    with page.expect_popup() as opened_page:
        page.get_by_role("link", name="Evidence").click()
    evidence = opened_page.value
    evidence.get_by_text("Why this score").wait_for()
    assert evidence.locator("img").evaluate("picture => picture.naturalWidth") > 1000
    evidence.close()

    with page.expect_download() as download:
        page.get_by_text("Export CSV").click()
    download.value.save_as(tmp_path / "votes.csv")
    with (tmp_path / "votes.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    assert [(row["verdict"], row["note"], bool(row["undone"])) for row in rows] == [
        ("accept", "", False),
        ("reject", "a hedge, Z and A", False),
        ("unsure", "", True),
    ]
    page.get_by_role("button", name="Train").click()
    message(page, "request 1 to train: queued")

    with LabelLog(root.label_log) as log:
        assert log.votes()["label"].to_list() == [1, 0, None]
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith((page.url, "data:", "blob:"))] == []
    page.screenshot(path=tmp_path / "review.png")


def test_two_reviewers_see_how_far_they_agree(root, page):
    """The second one votes on the same cues; kappa follows at once."""
    page.evaluate("sessionStorage.clear()")
    page.goto("/")
    page.fill("#key", keys.create(root, "bob"))
    page.keyboard.press("Enter")
    page.get_by_text("as bob").wait_for()
    wanted = {"accept": "a", "reject": "r"}
    with LabelLog(root.label_log) as log:
        theirs = [(row["cue_id"], row["label"]) for row in log.votes().to_dicts() if row["undone"] is None]
    for cue, label in theirs:
        page.locator(f"#queue li[title='{cue}']").click()
        page.get_by_text("Score and reasons are shown after your vote.").wait_for()
        press(page, wanted["accept" if label else "reject"], "stored")
    page.locator("#kappa", has_text="ann and bob: kappa 1.00 over 2").wait_for()
    page.locator("#score", has_text="(gold)").wait_for()


def test_a_wrong_key_is_told_and_the_page_stays_readable(page):
    page.evaluate("sessionStorage.clear()")
    page.goto("/")
    page.get_by_text("reading only: no key").wait_for()
    page.fill("#key", "lf_wrong")
    page.keyboard.press("Enter")
    message(page, "The API key is missing or wrong.")
    page.get_by_text("reading only: no key").wait_for()
    assert page.locator("#queue li").count() == CUES
