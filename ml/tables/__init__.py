"""What the stored tables are: columns, null reasons, rules, coverage."""
