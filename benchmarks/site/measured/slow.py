"""The measured project as a large one is: it takes 1.5 s to import."""

import time

from measured.settings import *  # noqa: F403 - a settings module that extends another is written so

time.sleep(1.5)
