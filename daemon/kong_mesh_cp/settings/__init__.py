"""What an operator can set: the rows, where a value may come from, and which one wins."""
