"""How the changes of other control planes on one database are heard of."""
