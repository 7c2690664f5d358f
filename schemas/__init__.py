"""What the rooms say to each other: message types, topics and the city's words. Pure; imports no room and no I/O."""
