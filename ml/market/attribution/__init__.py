"""What made each level decrease: trades or cancellations, and the lots (single additions) that they took away."""
