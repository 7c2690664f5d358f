"""A city that acts: citizens, sensors, wifi nodes, operators and officers, through the public API alone."""
