"""The program that the processes of a server begin with."""
