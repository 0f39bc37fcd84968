"""What is there: reads a project and tells what was found and where; never imports or runs its code."""
