"""What an exchange sends: files, frames, events, the order book, days, gaps."""
