"""Values and pixel arithmetic: numpy only, no files, no networks, no window."""
