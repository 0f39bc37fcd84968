"""The servers that run Django, side by side on one interpreter: `make bench`."""
