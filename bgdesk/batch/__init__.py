"""The folder queue: thousands of photos, unattended, and none lost."""
