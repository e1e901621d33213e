"""What happened next: direction and movement of the mid price by horizon."""
