"""The lot ledger: which additions a level consists of, and which of them a trade or a cancellation took. All compiled.

Trades take the oldest volume first; volume of unknown birth is the oldest. A cancellation takes the lot of its size if
there is one, else volume of unknown birth, then the newest lot: what is guessed lowers the lot's confidence.
"""

from ml.market.attribution import layout as at
from ml.market.attribution.layout import Ledger
from ml.market.book.compiled import njit_inline, njit_no_alloc

_MASK = at.SLOTS - 1


@njit_inline
def _home(key: int) -> int:
    """Where the search for a level begins."""
    mixed = key * 0x9E3779B97F4A7C1
    return (mixed ^ (mixed >> 29)) & _MASK


@njit_inline
def slot_of(ledger: Ledger, side: int, price: int) -> int:
    """The slot of a level that holds lots, -1 if it holds none; side 0 is bid, 1 ask."""
    key = 2 * price + side
    slot = _home(key)
    while ledger.slots[slot, at.KEY] != 0:
        if ledger.slots[slot, at.KEY] == key:
            return slot
        slot = (slot + 1) & _MASK
    return -1


@njit_no_alloc
def _open(ledger: Ledger, side: int, price: int) -> int:
    key = 2 * price + side
    slot = _home(key)
    while ledger.slots[slot, at.KEY] != 0 and ledger.slots[slot, at.KEY] != key:
        slot = (slot + 1) & _MASK
    if ledger.slots[slot, at.KEY] == 0:
        ledger.slots[slot, at.KEY] = key
        ledger.slots[slot, at.NEWEST] = -1
        ledger.slots[slot, at.OLDEST] = -1
        ledger.slots[slot, at.TOTAL] = 0
        ledger.slots[slot, at.COUNT] = 0
    return slot


@njit_no_alloc
def _close(ledger: Ledger, slot: int) -> None:
    """Empty a slot, and move those behind it that would not be found any more."""
    hole = slot
    slot = (slot + 1) & _MASK
    while ledger.slots[slot, at.KEY] != 0:
        home = _home(ledger.slots[slot, at.KEY])
        if ((slot - home) & _MASK) >= ((slot - hole) & _MASK):
            ledger.slots[hole, at.KEY] = ledger.slots[slot, at.KEY]
            ledger.slots[hole, at.NEWEST] = ledger.slots[slot, at.NEWEST]
            ledger.slots[hole, at.OLDEST] = ledger.slots[slot, at.OLDEST]
            ledger.slots[hole, at.TOTAL] = ledger.slots[slot, at.TOTAL]
            ledger.slots[hole, at.COUNT] = ledger.slots[slot, at.COUNT]
            hole = slot
        slot = (slot + 1) & _MASK
    ledger.slots[hole, at.KEY] = 0


@njit_inline
def tell(ledger: Ledger, kind: int, side: int, price: int, amount: int) -> int:
    """Append an event that is of a level, not of a lot; returns its row."""
    n = ledger.meta[at.N_EVENTS]
    ledger.meta[at.N_EVENTS] = n + 1
    event = ledger.events[n]
    for c in range(event.size):
        event[c] = 0
    event[at.KIND] = kind
    event[at.E_TS] = ledger.meta[at.TIME]
    event[at.E_SIDE] = side
    event[at.E_PRICE] = price
    event[at.E_AMOUNT] = amount
    return n


@njit_inline
def _tell_lot(ledger: Ledger, kind: int, i: int, amount: int, exact: int) -> None:
    lot = ledger.lots[i]
    event = ledger.events[tell(ledger, kind, 1 - 2 * lot[at.SIDE], lot[at.PRICE], amount)]
    event[at.E_LEFT] = lot[at.SIZE]
    event[at.E_ID] = lot[at.ID]
    event[at.E_BORN_TS] = lot[at.BORN_TS]
    event[at.E_BORN_SIZE] = lot[at.BORN_SIZE]
    event[at.E_BORN_PRICE] = lot[at.BORN_PRICE]
    event[at.E_FILLED] = lot[at.FILLED]
    event[at.E_MOVED] = lot[at.MOVED]
    event[at.E_CONFIDENCE] = lot[at.CONFIDENCE]
    event[at.E_EXACT] = exact


@njit_inline
def _free(ledger: Ledger, slot: int, i: int) -> None:
    """Take a lot out of its level; the slot stays open."""
    lot = ledger.lots[i]
    older = lot[at.OLDER]
    newer = lot[at.NEWER]
    if newer >= 0:
        ledger.lots[newer, at.OLDER] = older
    else:
        ledger.slots[slot, at.NEWEST] = older
    if older >= 0:
        ledger.lots[older, at.NEWER] = newer
    else:
        ledger.slots[slot, at.OLDEST] = newer
    ledger.slots[slot, at.TOTAL] -= lot[at.SIZE]
    ledger.slots[slot, at.COUNT] -= 1
    lot[at.SIZE] = 0
    lot[at.OLDER] = ledger.meta[at.FREE]
    ledger.meta[at.FREE] = i
    ledger.meta[at.ALIVE] -= 1


@njit_no_alloc
def add(ledger: Ledger, side: int, price: int, size: int) -> None:
    """Add a lot to a level; one that was cancelled a moment ago at another price and has this size is moved there."""
    meta = ledger.meta
    i = meta[at.FREE]
    if i < 0:
        meta[at.UNTRACKED] += 1
        return
    slot = _open(ledger, side, price)
    if ledger.slots[slot, at.COUNT] >= at.LOTS_PER_LEVEL:
        oldest = ledger.slots[slot, at.OLDEST]
        _tell_lot(ledger, at.FORGOTTEN, oldest, ledger.lots[oldest, at.SIZE], 0)
        _free(ledger, slot, oldest)
        i = meta[at.FREE]
    lot = ledger.lots[i]
    meta[at.FREE] = lot[at.OLDER]
    meta[at.ALIVE] += 1
    lot[at.SIDE] = side
    lot[at.PRICE] = price
    lot[at.SIZE] = size
    lot[at.NEWER] = -1
    lot[at.OLDER] = ledger.slots[slot, at.NEWEST]
    if ledger.slots[slot, at.NEWEST] >= 0:
        ledger.lots[ledger.slots[slot, at.NEWEST], at.NEWER] = i
    else:
        ledger.slots[slot, at.OLDEST] = i
    ledger.slots[slot, at.NEWEST] = i
    ledger.slots[slot, at.TOTAL] += size
    ledger.slots[slot, at.COUNT] += 1
    moved = _moved_from(ledger, side, price, size)
    if moved >= 0:
        was = ledger.moves[moved]
        was[1] = 1
        lot[at.ID] = was[2 + at.ID]
        for c in range(at.BORN_TS, at.CONFIDENCE + 1):
            lot[c] = was[2 + c]
        lot[at.MOVED] += 1
        _tell_lot(ledger, at.SHIFTED, i, size, 0)
        return
    lot[at.ID] = meta[at.NEXT_ID]
    meta[at.NEXT_ID] += 1
    lot[at.BORN_TS] = meta[at.TIME]
    lot[at.BORN_SIZE] = size
    lot[at.BORN_PRICE] = price
    lot[at.FILLED] = 0
    lot[at.MOVED] = 0
    lot[at.CONFIDENCE] = at.SURE
    _tell_lot(ledger, at.BORN, i, size, 0)


@njit_no_alloc
def _moved_from(ledger: Ledger, side: int, price: int, size: int) -> int:
    """The newest cancellation within `MOVE_NS` of a lot of this side and size at another price, -1 if there is none."""
    moves = ledger.moves
    head = ledger.meta[at.MOVE_HEAD]
    oldest = ledger.meta[at.TIME] - at.MOVE_NS
    for k in range(1, at.MOVES + 1):
        move = moves[(head - k) & (at.MOVES - 1)]
        if move[0] < oldest or move[0] == 0:
            return -1
        if move[2 + at.SIZE] == size and move[2 + at.SIDE] == side and move[2 + at.PRICE] != price and move[1] == 0:
            return (head - k) & (at.MOVES - 1)
    return -1


@njit_no_alloc
def _cancel_lot(ledger: Ledger, slot: int, i: int, amount: int, exact: int) -> None:
    """Cancel so much of a lot; one of which nothing is left may be moved to another price."""
    lot = ledger.lots[i]
    if amount < lot[at.SIZE]:
        lot[at.SIZE] -= amount
        ledger.slots[slot, at.TOTAL] -= amount
        _tell_lot(ledger, at.CANCELLED, i, amount, exact)
        return
    head = ledger.meta[at.MOVE_HEAD]
    move = ledger.moves[head]
    ledger.meta[at.MOVE_HEAD] = (head + 1) & (at.MOVES - 1)
    move[0] = ledger.meta[at.TIME]
    move[1] = 0
    for c in range(at.CONFIDENCE + 1):
        move[2 + c] = lot[c]
    _free(ledger, slot, i)
    _tell_lot(ledger, at.CANCELLED, i, amount, exact)


@njit_no_alloc
def trade(ledger: Ledger, side: int, price: int, amount: int, level: int) -> None:
    """Take traded volume from a level that held `level`: the oldest first."""
    slot = slot_of(ledger, side, price)
    if slot < 0:
        return
    left = amount - max(level - ledger.slots[slot, at.TOTAL], 0)
    while left > 0 and ledger.slots[slot, at.OLDEST] >= 0:
        i = ledger.slots[slot, at.OLDEST]
        lot = ledger.lots[i]
        taken = min(left, lot[at.SIZE])
        lot[at.FILLED] += taken
        left -= taken
        if taken == lot[at.SIZE]:
            _free(ledger, slot, i)
        else:
            lot[at.SIZE] -= taken
            ledger.slots[slot, at.TOTAL] -= taken
        _tell_lot(ledger, at.TRADED, i, taken, 0)
    if ledger.slots[slot, at.COUNT] == 0:
        _close(ledger, slot)


@njit_no_alloc
def cancel(ledger: Ledger, side: int, price: int, amount: int, level: int) -> None:
    """Take cancelled volume from a level that held `level`."""
    slot = slot_of(ledger, side, price)
    if slot < 0:
        return
    unknown = max(level - ledger.slots[slot, at.TOTAL], 0)
    exact = -1 if amount >= level and ledger.slots[slot, at.COUNT] > 1 else _of_size(ledger, slot, amount)
    left = amount
    if exact >= 0:
        left -= ledger.lots[exact, at.SIZE]
        _cancel_lot(ledger, slot, exact, ledger.lots[exact, at.SIZE], 1)
    guessed = exact < 0 and amount < level
    holders = ledger.slots[slot, at.COUNT] + (unknown > 0)
    left -= unknown
    while left > 0 and ledger.slots[slot, at.NEWEST] >= 0:
        i = ledger.slots[slot, at.NEWEST]
        taken = min(left, ledger.lots[i, at.SIZE])
        if guessed:
            ledger.lots[i, at.CONFIDENCE] //= holders
        _cancel_lot(ledger, slot, i, taken, 0)
        left -= taken
    if ledger.slots[slot, at.COUNT] == 0:
        _close(ledger, slot)


@njit_no_alloc
def _of_size(ledger: Ledger, slot: int, amount: int) -> int:
    """The lot of a level whose size is closest to an amount, within `EXACT_PER_MILLE`; of equals the newest."""
    found = -1
    least = 0
    i = ledger.slots[slot, at.NEWEST]
    while i >= 0:
        size = ledger.lots[i, at.SIZE]
        difference = abs(amount - size)
        if difference * 1000 <= at.EXACT_PER_MILLE * size and (found < 0 or difference < least):
            found = i
            least = difference
        i = ledger.lots[i, at.OLDER]
    return found


@njit_no_alloc
def forget_level(ledger: Ledger, side: int, price: int) -> None:
    """Forget the lots of a level; its volume is of unknown birth from here on."""
    slot = slot_of(ledger, side, price)
    if slot < 0:
        return
    while ledger.slots[slot, at.NEWEST] >= 0:
        i = ledger.slots[slot, at.NEWEST]
        _tell_lot(ledger, at.FORGOTTEN, i, ledger.lots[i, at.SIZE], 0)
        _free(ledger, slot, i)
    _close(ledger, slot)


@njit_no_alloc
def reset(ledger: Ledger) -> None:
    """Forget all lots, without an event for each."""
    for slot in range(at.SLOTS):
        ledger.slots[slot, at.KEY] = 0
    for i in range(at.LOTS):
        ledger.lots[i, at.OLDER] = i + 1
    ledger.lots[at.LOTS - 1, at.OLDER] = -1
    for k in range(at.MOVES):
        ledger.moves[k, 0] = 0
    meta = ledger.meta
    meta[at.FREE] = 0
    meta[at.ALIVE] = 0
    meta[at.MOVE_HEAD] = 0
    meta[at.ON_TAPE] = 0
    meta[at.PENDING] = 0
    tell(ledger, at.RESET, 0, 0, 0)
