"""Fills of single orders, one unit at a time, and the book as dictionaries."""

from tests.oracles.book import DictBook


def walk(levels, wanted):
    """Levels are (price, size), best first: unit after unit from the best that has one left."""
    left = [size for _, size in levels]
    taken = [0] * len(levels)
    for _ in range(wanted):
        k = next((k for k, size in enumerate(left) if size > 0), None)
        if k is None:
            break
        left[k] -= 1
        taken[k] += 1
    return taken


def queue(side, price, size, ahead, trades, changes=()):
    """Fills (ts, size): each unit that trades takes first from those ahead, then from us."""
    events = sorted([(ts, 1, t) for ts, *t in trades] + [(ts, 0, [s]) for ts, s in changes], key=lambda e: e[:2])
    # what is set at the time of a trade is set after it
    events.sort(key=lambda event: (event[0], event[1] == 0))
    filled = []
    for ts, is_trade, what in events:
        if not is_trade:
            ahead = min(ahead, what[0])
            continue
        aggressor, at, traded = what
        if aggressor != -side or size == 0:
            continue
        if (at < price) if side > 0 else (at > price):
            filled.append((ts, size))
            size = 0
        elif at == price:
            mine = 0
            for _ in range(traded):
                if ahead > 0:
                    ahead -= 1
                elif size > 0:
                    size -= 1
                    mine += 1
            if mine:
                filled.append((ts, mine))
    return filled


def book_before(messages, t, levels):
    """Best levels of both sides after the messages before t: (ts, [(side, price, size), ...]) in order."""
    book = DictBook()
    for ts, rows in messages:
        if ts < t:
            for side, price, size in rows:
                book.set(side, price, size)
    return book.top(1, levels), book.top(-1, levels)
