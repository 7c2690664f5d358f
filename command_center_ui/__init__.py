"""What people look at: the live feed of the board, and the pages."""
