"""The command line: one file a command. No window and no Qt."""
