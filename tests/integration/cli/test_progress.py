"""What a person is told while a command works."""

import json
import threading

import pytest

from cli import progress
from cli.progress import ERASE, Progress
from ml.core import kernel_cache
from ml.market.days import replay
from tests.integration.cli.test_inspect import GOOD
from tests.support.command import lobforge
from tests.support.scenario import USDM, capture


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass as the test says."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_elsewhere_than_on_a_terminal_a_line_comes_each_ten_seconds(clock, capsys):
    """Quick work says nothing."""
    with Progress() as tell:
        for second in range(25):
            clock[0] = 100.0 + second
            tell(f"{second} s")
    assert capsys.readouterr() == ("", "10 s\n20 s\n")


def test_on_a_terminal_one_line_is_rewritten_and_goes_away(clock, capsys, monkeypatch):
    """Cut to the width of the terminal."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    with Progress() as tell:
        tell("too early")
        clock[0] += 1
        tell("x" * 30)
    assert capsys.readouterr() == ("", ERASE + "x" * 19 + ERASE)


def test_inspect_tells_how_far_it_is_and_its_output_stays_one_document(tmp_path, capsys, monkeypatch):
    """On standard error, also that it compiles."""
    monkeypatch.setattr(progress, "ELSEWHERE", 0)
    monkeypatch.setattr(kernel_cache, "notice", lambda: "compiling")
    file = capture(tmp_path / "good.log", GOOD)
    assert lobforge("inspect", file, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["instruments"][USDM]["book_messages"] == 3
    assert err.splitlines() == [
        "compiling",
        "good.log: 5 frames read",
        f"{USDM}: decimals of 5 of 5 frames",
        f"{USDM}: replayed 0 of 5 frames",
    ]


def test_the_kernel_is_compiled_while_files_are_read(tmp_path, capsys, monkeypatch):
    """Once, after the first frames; reading the next file does not wait for it."""
    monkeypatch.setattr(progress, "ELSEWHERE", 0)
    read = threading.Event()
    waited = []
    monkeypatch.setattr(replay, "_prepare", lambda: waited.append(read.wait(60)))
    files = [capture(tmp_path / name, GOOD[:n]) for n, name in ((5, "a.log"), (4, "b.log"))]
    real = replay.link

    def link(*arguments):
        chain = real(*arguments)
        read.set()
        return chain

    monkeypatch.setattr(replay, "link", link)
    assert lobforge("inspect", *files, "--json") == 0
    assert waited == [True]
    assert "b.log: 4 frames read" in capsys.readouterr().err
