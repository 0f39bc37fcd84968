"""One reader for each kind of lock: text → the packages that it locks → hashed requirement lines for one Python."""
