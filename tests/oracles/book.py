"""A slow and obvious book and sampler: dictionaries, sorted lists, plain loops.

It follows the written contract (sample t covers [t - period, t), is closed by the first event at t or later, is
released by the next book message of the chain whose time is t or later), with the bookkeeping done the long way round.
"""

BPS = (0, 2, 5, 10, 20)
HOUR = 3600
QUIET = 1800 * 10**9
FROM_TRADES = ("cancelled_", "traded_", "trade_")


class DictBook:
    """Two dictionaries price -> size."""

    def __init__(self):
        self.sides = {1: {}, -1: {}}

    def set(self, side, price, size):
        before = self.sides[side].get(price, 0)
        if size:
            self.sides[side][price] = size
        else:
            self.sides[side].pop(price, None)
        return before

    def top(self, side, n):
        """The best n (price, size), best first."""
        return sorted(self.sides[side].items(), reverse=side > 0)[:n]

    def best(self, side):
        levels = self.top(side, 1)
        return levels[0][0] if levels else None


class SlowSampler:
    """One dictionary per sample; the same fields as the table `book_samples`."""

    def __init__(self, period):
        self.period = period
        self.book = DictBook()
        self.rows = []
        self.unreleased = []
        self.watermark = None
        self.next = None
        self.known = self.one_sided = self.crossed = False
        self.start = None
        self.run = 0
        self.flow = {}
        self.ladder = {1: [], -1: []}
        self.trade_rows = []
        self.last_trade = None
        self.last_book = None
        self.intervals = []
        self.released_at = None
        self.trades_since = None
        self.trades_run = 0
        self.trade_intervals = []

    # time ------------------------------------------------------------------------------------------------------
    def advance(self, ts):
        if self.next is None:
            self.next = (ts // self.period + 1) * self.period
            self.watermark = ts
        self.watermark = max(self.watermark, ts)
        while self.next <= self.watermark:
            self.close(self.next)
            self.next += self.period

    def close(self, t):
        row = {"ts": t, "flow": self.flow, "bid": [], "ask": []}
        self.flow = {}
        if self.known:
            row["bid"] = self.book.top(1, 20)
            row["ask"] = self.book.top(-1, 20)
        recent = self.last_trade
        row["last_trade_price"] = self.last_trade[0] if recent else None
        row["book_age"] = t - self.last_book if self.known else None
        row["valid"] = self.known and not self.one_sided
        whole = row["valid"] and self.start <= t - self.period
        self.run = min(self.run + 1, HOUR) if whole else 0
        row["valid_run"] = self.run
        if self.trades_since is not None and t - self.last_trade[1] > QUIET:
            self.lose_trades(self.last_trade[1] + QUIET)
        captured = self.trades_since is not None and self.trades_since <= t - self.period
        self.trades_run = min(self.trades_run + 1, HOUR) if captured else 0
        row["trades_run"] = self.trades_run
        if not captured:
            forget_trades(row)
        self.rows.append(row)
        self.unreleased.append(row)

    def release(self, ts):
        self.unreleased = [row for row in self.unreleased if row["ts"] > ts]
        self.released_at = ts if self.released_at is None else max(self.released_at, ts)

    def begin(self):
        self.start = self.watermark
        self.release(self.watermark)

    def lose_trades(self, ts):
        if self.trades_since is not None:
            self.trade_intervals.append((self.trades_since, ts))
        self.trades_since = None
        self.trades_run = 0

    def lose(self, reason):
        if reason == "break":
            for row in self.unreleased:
                forget_trades(row)
            if self.trades_since is not None:
                self.lose_trades(max(self.last_trade[1], self.released_at or 0))
        if self.known:
            if not self.one_sided:
                self.intervals.append((self.start, self.released_at, reason))
            for row in self.unreleased:
                row.update(bid=[], ask=[], book_age=None, valid=False, valid_run=0)
        self.known = self.one_sided = self.crossed = False
        self.run = 0
        self.unreleased = []

    # events ----------------------------------------------------------------------------------------------------
    def trade(self, ts, aggressor, price, size, lost=False):
        if lost and self.trades_since is not None:
            self.lose_trades(self.last_trade[1])
        self.advance(ts)
        self.last_trade = (price, self.watermark)
        if self.trades_since is None:
            self.trades_since = self.watermark
        if not self.known:
            self.unreleased = []
        name = "buy" if aggressor > 0 else "sell"
        self.count(f"trade_count_{name}", 1)
        self.count(f"trade_volume_{name}", size)
        self.count(f"trade_notional_{name}", price * size)
        flow = self.flow
        flow["trade_price_high"] = max(flow.get("trade_price_high", price), price)
        flow["trade_price_low"] = min(flow.get("trade_price_low", price), price)
        flow["trade_largest"] = max(flow.get("trade_largest", size), size)
        if self.known:
            if self.ladder[1] and self.ladder[-1]:
                mid = (self.ladder[1][0][0] + self.ladder[-1][0][0]) / 2
                self.count("trade_spread_notional", int(size * 2 * abs(price - mid)))
            side = -1 if aggressor > 0 else 1
            self.in_band("traded", side, price, size)
            self.trade_rows.append([side, price, size, 0])

    def message(self, ts, levels, snapshot=False, lost=False, only_time=False, lost_trades=False):
        if lost:
            self.lose("break")
        if lost_trades and self.trades_since is not None:
            self.lose_trades(self.last_trade[1])
        self.advance(ts)
        if not self.known and not snapshot:
            self.unreleased = []
            return
        if only_time:
            return
        if self.known and not self.crossed:
            self.release(ts)
        if snapshot:
            self.anchor(levels)
        else:
            self.apply(levels)
        self.last_book = ts
        self.judge(ts)

    def anchor(self, levels):
        self.book = DictBook()
        for side, price, size in levels:
            self.book.set(side, price, size)
        self.ladder = {side: self.book.top(side, 10) for side in (1, -1)}
        if not self.known:
            self.known = True
            self.begin()

    def apply(self, levels):
        changes = [(side, price, size, self.book.set(side, price, size)) for side, price, size in levels]
        for side, price, size, before in changes:
            self.count("n_updates", 1)
            if size > before:
                self.in_band("added", side, price, size - before)
            elif size < before:
                gone = before - size
                for entry in self.trade_rows:
                    if entry[0] == side and entry[1] == price:
                        taken = min(gone, entry[2])
                        entry[2] -= taken
                        gone -= taken
                self.in_band("cancelled", side, price, gone)
        self.trade_rows = [[s, p, q, 1] for s, p, q, age in self.trade_rows if q and age == 0]
        for side in (1, -1):
            after = self.book.top(side, 10)
            for m in range(10):
                self.count(f"ofi_{m + 1}", side * imbalance(side, self.ladder[side], after, m))
            self.ladder[side] = after

    def judge(self, ts):
        bid = self.book.best(1)
        ask = self.book.best(-1)
        if bid is None or ask is None:
            if not self.one_sided and self.start < self.watermark:
                self.intervals.append((self.start, self.watermark, "one_sided"))
            self.one_sided = True
            self.crossed = False
            return
        if self.one_sided:
            self.one_sided = False
            self.begin()
        if bid <= ask:
            if self.crossed:
                self.release(ts)
            self.crossed = False
        elif self.crossed:
            self.lose("crossed")
        else:
            self.crossed = True

    # sums ------------------------------------------------------------------------------------------------------
    def count(self, name, amount):
        self.flow[name] = self.flow.get(name, 0) + amount

    def in_band(self, name, side, price, amount):
        """Bands are those of the best prices before the message."""
        if not self.ladder[1] or not self.ladder[-1]:
            return
        bid = self.ladder[1][0][0]
        ask = self.ladder[-1][0][0]
        mid = (bid + ask) / 2
        if (price >= bid) if side > 0 else (price <= ask):
            band = "touch"
        else:
            within = [bps for bps in BPS[1:] if 10_000 * abs(price - mid) <= bps * mid]
            if not within:
                return
            band = f"{within[0]}bps"
        self.count(f"{name}_{'bid' if side > 0 else 'ask'}_{band}", amount)


def forget_trades(row):
    """What a row says by its trades."""
    row["flow"] = {name: amount for name, amount in row["flow"].items() if not name.startswith(FROM_TRADES)}
    row["last_trade_price"] = None
    row["trades_run"] = 0


def imbalance(side, before, after, m):
    """Cont, Kukanov, Stoikov: what a side gains at level m between two books; an absent level is worse than any."""
    worst = float("-inf") if side > 0 else float("inf")
    p0, q0 = before[m] if m < len(before) else (worst, 0)
    p1, q1 = after[m] if m < len(after) else (worst, 0)
    gained = q1 if side * p1 >= side * p0 else 0
    lost = q0 if side * p1 <= side * p0 else 0
    return gained - lost
