"""What verbs print when nothing could be done, and tables."""

import json

import pytest

from cli.console import fail, show_table
from ml.core.errors import CaptureError, ModelRefused


@pytest.mark.parametrize("error", [CaptureError("no file. Name one."), ModelRefused("other kernel. Train again.")])
def test_an_error_is_two_and_says_its_kind(capsys, error):
    """To programs as one JSON object on stdout, to people as one line on stderr."""
    assert fail(error, as_json=True) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": type(error).__name__, "message": str(error)}
    assert captured.err == ""
    assert fail(error, as_json=False) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"error: {error}\n")


def test_a_table_shows_every_cell(capsys):
    """The first column on the left, numbers on the right of theirs."""
    show_table("captures", ["instrument", "trades"], [["sim.X", "5"], ["sim.LONGER", "12345"]])
    printed = capsys.readouterr().out
    assert printed.startswith("captures")
    short, long = (next(line for line in printed.splitlines() if name in line) for name in ("sim.X ", "sim.LONGER"))
    assert short.index("sim.X") == long.index("sim.LONGER")
    assert short.index("5") == long.index("12345") + 4


def test_a_pipe_gets_whole_cells(capsys):
    """Where no terminal gives a width, nothing is cut to one."""
    show_table("gaps", ["instrument", "start"], [["binance-usdm.BTCUSDT" * 9, "2024-07-19 00:05:02.123"]])
    assert "binance-usdm.BTCUSDT" * 9 in capsys.readouterr().out


def test_brackets_and_colons_are_no_markup(capsys):
    """Names hold what they hold."""
    show_table("captures [y]", ["instrument"], [["sim.[red]X:smile:"]])
    printed = capsys.readouterr().out
    assert "captures [y]" in printed
    assert "sim.[red]X:smile:" in printed
