"""How the changes of the store are followed."""
