"""Taking down what venues send, so that nothing is lost in silence: the journal, its sealing, the feeds to ask for."""
