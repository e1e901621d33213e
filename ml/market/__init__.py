"""What an exchange sends: frames, events, the order book, the sample grid."""
