"""What ours is held against, each a program of its own that does the same work with what people commonly take."""
