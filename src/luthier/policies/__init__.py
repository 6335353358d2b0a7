"""Who decides what trains next. To add one: a file here, and a line in `registry.POLICIES`."""
