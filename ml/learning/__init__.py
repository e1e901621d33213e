"""From feature rows to trained models: data set, splits, walk-forward, tuning, the candidate."""
