"""Attribution and the lot ledger in plain Python: dictionaries and lists, one message at a time, no shared code.

The rules are those of `ml.market.attribution`; books that are crossed or silent are not here.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

MOVE_NS = 100 * 10**6
PER_LEVEL = 32


@dataclass
class Lot:
    """One addition that is still in the book."""

    id: int
    side: int
    price: int
    size: int
    born_ts: int
    born_size: int
    born_price: int
    filled: int = 0
    moved: int = 0
    confidence: int = 1_000_000


class Ledger:
    """Feed `book` and `trade` in arrival order; `events` are tuples as the compiled ledger tells them."""

    def __init__(self, limited=False):
        self.limited = limited
        self.view = 0
        self.levels = {1: {}, -1: {}}
        self.lots = defaultdict(list)
        self.tape = []
        self.pending = []
        self.cancelled = []
        self.events = []
        self.now = 0
        self.known = False
        self.next_id = 1
        self.edges = {1: None, -1: None}

    def tell(self, kind, side, price, amount):
        self.events.append((kind, self.now, side, price, amount, *(0,) * 9))

    def tell_lot(self, kind, lot, amount, exact=0):
        where = (kind, self.now, lot.side, lot.price, amount, lot.size)
        born = (lot.id, lot.born_ts, lot.born_size, lot.born_price)
        self.events.append((*where, *born, lot.filled, lot.moved, lot.confidence, exact))

    def reset(self):
        self.lots.clear()
        self.tape = []
        self.pending = []
        self.cancelled = []
        self.tell("reset", 0, 0, 0)

    def lose(self):
        if self.known:
            self.reset()
        self.known = False

    def forget(self, side, price):
        for lot in reversed(self.lots.pop((side, price), [])):
            self.tell_lot("forgotten", lot, lot.size)

    def snapshot(self, ts, rows):
        self.now = max(self.now, ts)
        new = {1: {}, -1: {}}
        for side, price, size in rows:
            new[side][price] = size
        for side, price, size in rows:
            if (side, price) in self.lots and self.levels[side].get(price, 0) != size:
                self.forget(side, price)
        for side, price in list(self.lots):
            if new[side].get(price, 0) == 0:
                self.forget(side, price)
        self.levels = {side: {p: s for p, s in new[side].items() if s} for side in new}
        self.known = True
        self.pending = []
        self.view = max(len(self.levels[1]), len(self.levels[-1])) if self.limited else 0
        self.edges = self.edges_now()

    def edges_now(self):
        edges = {}
        for side in (1, -1):
            best_first = sorted(self.levels[side], reverse=side == 1)
            counted = max(self.view - 1, 1)
            edges[side] = best_first[counted - 1] if len(best_first) >= counted else None
        return edges

    def in_view(self, side, price, edges):
        return edges[side] is None or side * (price - edges[side]) >= 0

    def trade(self, ts, aggressor, price, size):
        if not self.known:
            return
        side = -aggressor
        missed = 0
        if ts <= self.now:
            missed = 1
            for entry in self.pending:
                if entry[:2] == [side, price] and size > 0 and entry[2] > 0:
                    taken = min(size, entry[2])
                    entry[2] -= taken
                    size -= taken
                    self.tell("late_traded", side, price, taken)
        if size:
            self.tape.append([side, price, size, ts, missed])

    def book(self, ts, rows):
        if not self.known:
            return
        self.now = max(self.now, ts)
        before = []
        for side, price, size in rows:
            before.append(self.levels[side].pop(price, 0))
            if size:
                self.levels[side][price] = size
        edges_before, self.edges = self.edges, self.edges_now()
        self.pending = []
        additions = []
        for (side, price, size), old in zip(rows, before, strict=True):
            if self.view and not (self.in_view(side, price, edges_before) and self.in_view(side, price, self.edges)):
                self.forget(side, price)
                continue
            traded = self.explained(side, price, old)
            net = size - old + traded
            if traded:
                self.take_trade(side, price, traded, old)
            if net < 0:
                self.pending.append([side, price, -net])
                self.take_cancel(side, price, -net, old - traded)
            elif net > 0:
                additions.append((side, price, net))
        for addition in additions:
            self.add(*addition)
        waiting = []
        for entry in self.tape:
            due = entry[3] <= self.now
            if entry[2] and due and entry[4]:
                self.tell("hidden", entry[0], entry[1], entry[2])
            elif entry[2]:
                waiting.append([*entry[:4], entry[4] + due])
        self.tape = waiting

    def explained(self, side, price, held):
        taken = 0
        for entry in self.tape:
            if entry[:2] == [side, price] and entry[3] <= self.now:
                part = min(held - taken, entry[2])
                entry[2] -= part
                taken += part
        return taken

    def unknown(self, side, price, level):
        return max(level - sum(lot.size for lot in self.lots.get((side, price), [])), 0)

    def leave(self, lots, lot):
        lots.remove(lot)
        if not lots:
            del self.lots[lot.side, lot.price]

    def take_trade(self, side, price, amount, level):
        lots = self.lots.get((side, price), [])
        left = amount - self.unknown(side, price, level)
        while left > 0 and lots:
            lot = lots[0]
            taken = min(left, lot.size)
            lot.size -= taken
            lot.filled += taken
            left -= taken
            if lot.size == 0:
                self.leave(lots, lot)
            self.tell_lot("traded", lot, taken)

    def take_cancel(self, side, price, amount, level):
        lots = self.lots.get((side, price), [])
        unknown = self.unknown(side, price, level)
        if not lots:
            return
        whole = amount >= level
        near = [lot for lot in reversed(lots) if abs(amount - lot.size) * 1000 <= 4 * lot.size]
        exact = None if (whole and len(lots) > 1) or not near else min(near, key=lambda lot: abs(amount - lot.size))
        left = amount
        if exact is not None:
            left -= exact.size
            self.cancel_lot(lots, exact, exact.size, 1)
        left -= unknown
        holders = len(lots) + (unknown > 0)
        while left > 0 and lots:
            lot = lots[-1]
            if exact is None and not whole:
                lot.confidence //= holders
            taken = min(left, lot.size)
            self.cancel_lot(lots, lot, taken, 0)
            left -= taken

    def cancel_lot(self, lots, lot, amount, exact):
        if amount < lot.size:
            lot.size -= amount
        else:
            self.cancelled.append((self.now, replace(lot)))
            lot.size = 0
            self.leave(lots, lot)
        self.tell_lot("cancelled", lot, amount, exact)

    def add(self, side, price, size):
        lots = self.lots[side, price]
        if len(lots) >= PER_LEVEL:
            oldest = lots.pop(0)
            self.tell_lot("forgotten", oldest, oldest.size)
        for entry in reversed(self.cancelled):
            then, lot = entry
            if then < self.now - MOVE_NS:
                break
            if (lot.side, lot.size) == (side, size) and lot.price != price:
                self.cancelled.remove(entry)
                moved = replace(lot, price=price, moved=lot.moved + 1)
                lots.append(moved)
                self.tell_lot("shifted", moved, size)
                return
        lots.append(Lot(self.next_id, side, price, size, self.now, size, price))
        self.next_id += 1
        self.tell_lot("born", lots[-1], size)
