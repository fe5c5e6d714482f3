"""How changes of other control planes on one database reach this one."""
