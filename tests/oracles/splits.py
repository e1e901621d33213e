"""Walk-forward folds, row by row."""

from itertools import pairwise


def walk_forward(start, end, first_share, n_splits, embargo, sliding):
    """Sorted row numbers (train, test) of each fold."""
    order = sorted(range(len(start)), key=lambda i: start[i])
    times = [start[i] for i in order]
    step = (1 - first_share) * len(start) / n_splits
    cuts = [times[int(first_share * len(start) + k * step)] for k in range(n_splits)] + [times[-1] + 1]
    folds = []
    for low, high in pairwise(cuts):
        test = [i for i in order if low <= start[i] < high]
        begin = min(start[i] for i in test)
        train = [i for i in order if end[i] <= begin - embargo]
        if sliding and folds:
            train = train[-len(folds[0][0]) :]
        folds.append((sorted(train), sorted(test)))
    return folds


def seal(test, start, end, share):
    """Rows of the last test block that end before the newest share of all rows begins, and those in that share."""
    first = sorted(start)[round((1 - share) * len(start))]
    return [i for i in test if end[i] <= first], [i for i in test if start[i] >= first]
