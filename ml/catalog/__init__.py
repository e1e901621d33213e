"""Every table with its schema and rules, those made of feature sets included."""
