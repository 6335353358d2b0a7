"""Where studies are kept: SQLite in one file, or in memory for simulations and tests."""
