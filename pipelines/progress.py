"""A Dagster logger with one line per finished step and per broken rule, and running a job with it."""

import logging
import sys
from typing import Any

import dagster as dg

LOGGER = "progress"
RUN_CONFIG = {"loggers": {LOGGER: {}}}


def say(line: str) -> None:
    """Print a line of progress; standard output belongs to results."""
    print(line, file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    """Prints what a person waits for among the events of a run."""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is None:
            return
        match event.event_type_value:
            case "STEP_SUCCESS":
                say(f"  {event.step_key:<20} {event.event_specific_data.duration_ms / 1000:6.1f} s")
            case "STEP_FAILURE":
                say(f"  {event.step_key:<20} failed")
            case "ASSET_CHECK_EVALUATION":
                check = event.event_specific_data
                if not check.passed:
                    found = {name: value.value for name, value in check.metadata.items()}
                    say(f"  {check.asset_key.to_user_string()}: rule {check.check_name} broken: {found}")
            case _:
                return


def _make(context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger(LOGGER, logging.DEBUG)
    logger.addHandler(_Lines())
    return logger


progress_logger = dg.LoggerDefinition(_make, description="One line per finished step.")
"""A logger that prints only progress."""


def watch(job: dg.JobDefinition, instance: dg.DagsterInstance, **arguments: Any) -> dg.ExecuteInProcessResult:
    """Run a job in this process, showing its progress."""
    return job.execute_in_process(run_config=RUN_CONFIG, instance=instance, **arguments)
