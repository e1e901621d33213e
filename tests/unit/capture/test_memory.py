"""Memory of a backlog: held while it waits, given back once it is written."""

import subprocess
import sys

import pytest

STALLS = """
import sys, threading, time
from pathlib import Path
from ml.capture.journal import Journal
from ml.capture.recorder import Recorder
from ml.core.paths import DataRoot

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

go, write = threading.Event(), Journal.write
def stalled(journal, rendered):
    go.wait()
    write(journal, rendered)

Journal.write = stalled
recorder = Recorder(DataRoot(Path(sys.argv[1])), "sim", roll_bytes=1 << 40)
recorder.connection(0, "sim ws://x", ("A",))
before, most, after = resident(), 0, []
for _ in range(3):
    go.clear()
    while recorder.offer(0, 1, [b"x" * 300] * 3):
        pass
    most = max(most, resident())
    go.set()
    while recorder.waiting_bytes:
        time.sleep(0.01)
    time.sleep(1.0)
    after.append(resident())
recorder.stop()
print(before, most, *after)
"""


@pytest.mark.promise("A7")
def test_a_full_queue_leaves_memory_as_it_was(tmp_path):
    """The disk stands still three times until the queue of 64 MiB is full; each time its memory is given back."""
    told = subprocess.run([sys.executable, "-c", STALLS, tmp_path], capture_output=True, text=True, check=True)
    before, most, *after = map(int, told.stdout.split())
    assert most - before > 60
    assert max(after) - before < 20
