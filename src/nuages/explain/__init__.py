"""What a configuration of another server becomes here: one reader per foreign file, one table of facts per server."""
