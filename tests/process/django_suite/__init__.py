"""Django's own tests, with our server where they have a client or a live server (PYTHONPATH: the folder above).

`settings` is what runtests.py is given; importing it puts `wire` and `live` in the place of Django's test handlers.
"""
