"""What use cases need of the outside, as Protocols."""
