"""Spoofing pressure in plain Python: the plain ledger, every level and lot walked through for each row."""

from math import exp, nan

from tests.oracles.lots import Ledger

SECOND = 10**9
MS = 10**6


def binned(size):
    """A size on a scale of 32 steps per doubling."""
    power = size.bit_length() - 1
    part = int(size / 2**power * 32) - 32
    return max(int((2 * (32 + part) + 1) * 2**power / 64), 1)


def weight(bps):
    decay = exp(-1 - bps / 2)
    return decay * (1 - decay)


class Pressure:
    """Feed events in arrival order; `rows` are (ts, six values or None while nothing is known)."""

    def __init__(self):
        self.ledger = Ledger()
        self.sizes = []
        self.pulls = []
        self.rows = []
        self.next = None
        self.since = None

    def until(self, ts):
        self.next = self.next or (ts // SECOND + 1) * SECOND
        while self.next <= ts:
            self.rows.append((self.next, self.row(self.next)))
            self.next += SECOND

    def feed(self, kind, ts, *rest):
        self.until(ts)
        before = len(self.ledger.events)
        was_known = self.ledger.known
        if kind == "trade":
            self.ledger.trade(ts, *rest)
        elif kind == "lost":
            self.ledger.lose()
        elif kind == "snapshot":
            self.ledger.snapshot(ts, *rest)
        else:
            self.ledger.book(ts, *rest)
        if self.ledger.known and not was_known:
            self.since = ts // SECOND * SECOND
            self.sizes = []
            self.pulls = []
        for event in self.ledger.events[before:]:
            self.note(*event)

    def mid2(self):
        return max(self.ledger.levels[1]) + min(self.ledger.levels[-1])

    def distance(self, price):
        return 1e4 * abs(2 * price - self.mid2()) / self.mid2()

    def scale(self):
        ordered = sorted(map(binned, self.sizes[-3600:]))
        return ordered[-(-len(ordered) // 2) - 1] if len(ordered) >= 120 else 0

    def note(self, kind, now, side, price, amount, left, lot, born_ts, born_size, _, filled, *__):
        if kind == "cancelled" and self.scale():
            age = now - born_ts
            is_large = amount >= 0.5 * self.scale() and left == 0 and 2 * filled <= born_size
            if is_large and 80 * MS <= age <= 90 * SECOND and self.distance(price) <= 20:
                self.pulls.append([now, side, price, amount, int(2**22 * weight(self.distance(price))) / 2**22, lot])
        elif kind == "shifted":
            for pull in self.pulls:
                if pull[5] == lot and now - pull[0] <= 100 * MS:
                    pull[3] = 0
        elif kind == "late_traded":
            for pull in self.pulls:
                if pull[:3] == [now, side, price]:
                    pull[3] -= min(amount, pull[3])

    def row(self, now):
        if not self.ledger.known or not (self.ledger.levels[1] and self.ledger.levels[-1]):
            return None
        best = {1: max(self.ledger.levels[1]), -1: min(self.ledger.levels[-1])}
        self.sizes += [self.ledger.levels[side][price] for side, price in best.items()]
        scale = self.scale()
        if not scale or now - self.since < 91 * SECOND:
            return None
        share, rate, took, held = [], [], {}, {}
        for side in (1, -1):
            near = {p: size for p, size in self.ledger.levels[side].items() if self.distance(p) <= 20}
            young = [
                lot.size
                for (lot_side, price), lots in self.ledger.lots.items()
                for lot in lots
                if lot_side == side and price in near and lot.size >= 0.5 * scale
                if now - lot.born_ts <= 90 * SECOND and 2 * lot.filled <= lot.born_size
            ]
            recent = [pull for pull in self.pulls if pull[1] == side and pull[0] >= now - 10 * SECOND]
            share.append(sum(young) / sum(near.values()) if near else nan)
            rate.append(sum(pull[3] for pull in recent) / (10 * scale))
            took[side] = sum(pull[3] * pull[4] for pull in recent)
            held[side] = sum(size * weight(self.distance(price)) for price, size in near.items())
        before = (held[1] + took[1] - held[-1] - took[-1]) / sum((*held.values(), *took.values()))
        after = (held[1] - held[-1]) / sum(held.values())
        part = {side: took[side] / (held[side] + took[side]) for side in (1, -1)}
        tilt = abs(before - after)
        return [*share, *rate, *(tilt * part[side] * max(part[side] - part[-side], 0) for side in (1, -1))]
