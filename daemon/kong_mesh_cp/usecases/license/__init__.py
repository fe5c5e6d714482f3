"""The license in force: held, watched, shown."""
