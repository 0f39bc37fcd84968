"""`up` and `run`: a private environment for a project, with the runtime beside it."""
