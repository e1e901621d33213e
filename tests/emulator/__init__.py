"""An exchange on the loopback interface that knows the truth and can misbehave."""
