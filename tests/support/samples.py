"""Made-up samples: books and flows of random content, and what a mirror or another unit makes of them."""

import numpy as np

from ml.core.time import SECOND
from ml.market.book import layout
from ml.tables.schemas import FROM_TRADES, LEVELS, OFI_LEVELS, SAMPLE_COLUMNS

HIGH = 10**6
FLOWS = slice(layout.OFI, layout.LAST_TRADE)
SIZES = [k for k, name in enumerate(SAMPLE_COLUMNS) if "_size_" in name]
PRICES = [k for k, name in enumerate(SAMPLE_COLUMNS) if "_price" in name]
NOTIONALS = [k for k, name in enumerate(SAMPLE_COLUMNS) if "notional" in name]


def random_samples(n: int, seed: int, levels: int = LEVELS) -> np.ndarray:
    """Whole samples i64 (n, columns) of a random book, valid throughout, with random flows."""
    rng = np.random.default_rng(seed)
    samples = np.zeros((n, layout.COLUMNS), np.int64)
    samples[:, layout.TS] = (1_741_000_000 + np.arange(n)) * SECOND
    touch = 20_000 + rng.integers(-3, 4, n).cumsum()
    for price, size, sign in ((layout.BID_PRICE, layout.BID_SIZE, -1), (layout.ASK_PRICE, layout.ASK_SIZE, 1)):
        steps = rng.integers(1, 4, (n, levels)).cumsum(axis=1)
        samples[:, price : price + levels] = touch[:, None] + sign * steps
        samples[:, size : size + levels] = rng.integers(1, 10_000, (n, levels))
    samples[:, FLOWS] = rng.integers(0, 5_000, samples[:, FLOWS].shape)
    samples[:, layout.OFI : layout.OFI + OFI_LEVELS] -= 2_500
    samples[:, layout.LAST_TRADE] = touch + rng.integers(-2, 3, n)
    samples[:, layout.TRADE_HIGH] = samples[:, layout.LAST_TRADE] + rng.integers(0, 4, n)
    samples[:, layout.TRADE_LOW] = samples[:, layout.LAST_TRADE] - rng.integers(0, 4, n)
    samples[:, layout.TRADE_LARGEST] = samples[:, layout.TRADE_VOLUME] // 2 + 1
    for k in range(2):
        samples[:, layout.TRADE_NOTIONAL + k] = samples[:, layout.TRADE_VOLUME + k] * touch
    samples[:, layout.VALID] = 1
    for run in (layout.RUN, layout.TRADES_RUN):
        samples[:, run] = np.minimum(np.arange(1, n + 1), layout.TAIL)
    return samples


def invalid(samples: np.ndarray, start: int, length: int) -> np.ndarray:
    """The same samples with an unknown book from row `start` on, as the kernel writes it; trades go on."""
    cut = samples.copy()
    cut[start : start + length, layout.VALID] = cut[start : start + length, layout.RUN] = 0
    cut[start : start + length, layout.BID_PRICE : layout.BOOK_COLUMNS] = 0
    after = max(len(samples) - start - length, 0)
    cut[len(samples) - after :, layout.RUN] = np.arange(after)
    return cut


def without_trades(samples: np.ndarray, start: int, length: int) -> np.ndarray:
    """The same samples with unknown trades from row `start` on, as the kernel writes it."""
    cut = samples.copy()
    cut[start : start + length, [SAMPLE_COLUMNS.index(name) for name in FROM_TRADES]] = 0
    cut[start : start + length, layout.TRADES_RUN] = 0
    after = max(len(samples) - start - length, 0)
    cut[len(samples) - after :, layout.TRADES_RUN] = np.arange(1, after + 1)
    return cut


def mirrored(samples: np.ndarray, high: int = HIGH) -> np.ndarray:
    """Bids as asks and asks as bids, buys as sells, prices upside down, order-flow imbalance with its sign turned."""
    other = samples.copy()
    for k, name in enumerate(SAMPLE_COLUMNS):
        swap = {"bid": "ask", "ask": "bid", "buy": "sell", "sell": "buy", "high": "low", "low": "high"}
        other[:, k] = samples[:, SAMPLE_COLUMNS.index("_".join(swap.get(part, part) for part in name.split("_")))]
    other[:, PRICES] = np.where(other[:, PRICES] > 0, high - other[:, PRICES], 0)
    other[:, layout.OFI : layout.OFI + OFI_LEVELS] *= -1
    return other


def sizes_times(samples: np.ndarray, factor: int) -> np.ndarray:
    """The same market counted in smaller lots; trades and updates stay as many as they were."""
    scaled = samples.copy()
    scaled[:, SIZES] *= factor
    scaled[:, layout.OFI : layout.N_UPDATES] *= factor
    scaled[:, layout.TRADE_VOLUME : layout.LAST_TRADE] *= factor
    return scaled


def prices_times(samples: np.ndarray, factor: int) -> np.ndarray:
    """The same market with prices in a smaller unit; the tick grows with it."""
    scaled = samples.copy()
    scaled[:, PRICES + NOTIONALS] *= factor
    return scaled
