"""`lobforge capture` as tests run it, in processes that are forked: light, since it is imported before."""

from functools import partial
from pathlib import Path

from live import service
from ml.capture import connections, seal
from ml.capture.recorder import ROLL_BYTES, Recorder
from ml.learning.models.trained import TrainedModel
from tests.support import disk
from tests.support.command import lobforge


def capture(
    arguments: list[str],
    snapshot_after: float = 0.2,
    silence: float = 120.0,
    refresh: float = 3_600.0,
    roll_bytes: int = ROLL_BYTES,
    refused: str = "",
    kill_at: str = "",
    breaks: str = "",
) -> int:
    """The command, which waits for less than a user's, and longer for a connection that a busy machine holds up.

    Args:
        arguments: of the command.
        snapshot_after: seconds between a subscription and its snapshot.
        silence: seconds after which a connection that says nothing is given up.
        refresh: seconds after which a snapshot is fetched again.
        roll_bytes: size of a journal.
        refused: the queue is full when a frame with this text comes alone.
        kill_at: step of a commit at which the process is killed that commits first.
        breaks: a file; the model whose id stands in it fails on every row, as long as it does.
    """
    if kill_at:
        disk.kill_at(kill_at)
        seal.START = f"from tests.support.disk import kill_at\nkill_at({kill_at!r})\n" + seal.START

    if breaks:
        answer, path = TrainedModel.probabilities, Path(breaks)

        def failing(model, features):
            if path.exists() and path.read_text() == model.id:
                raise RuntimeError("broken by the test")
            return answer(model, features)

        TrainedModel.probabilities = failing

    class Filled(Recorder):
        def offer(self, connection, recv_ts, frames):
            nonlocal refused
            if refused and len(frames) == 1 and refused.encode() in frames[0]:
                refused = ""
                self.queue_bytes = 0
            try:
                return super().offer(connection, recv_ts, frames)
            finally:
                self.queue_bytes = 1 << 26

    service.SNAPSHOT_AFTER = snapshot_after
    service.REFRESH_SECONDS = refresh
    connections.SILENCE_SECONDS = silence
    service.Recorder = partial(Filled, roll_bytes=roll_bytes)
    return lobforge("capture", *arguments)
