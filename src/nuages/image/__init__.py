"""What to make of a project: the plan, the Dockerfile and the build context; no I/O but in `context`."""
