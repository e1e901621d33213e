"""Compile what a live runner needs and keep it for later processes: `python -m live.precompile`.

The demo starts it beside the simulation of its market, which takes less time than compiling.
"""

from live.runner import Runner
from ml.layering.detector import shipped_detector
from ml.simulation.instrument import INSTRUMENT


def main() -> None:
    """Have every compiled function of a runner called once."""
    Runner(INSTRUMENT, None, cues=shipped_detector(INSTRUMENT)).prepare()


if __name__ == "__main__":
    main()
