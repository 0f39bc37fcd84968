"""One table."""

from django.db import models


class Record(models.Model):
    """A record of the quintet."""

    title = models.CharField(max_length=100)
    side = models.CharField(max_length=1)
    seconds = models.PositiveIntegerField()
    recorded = models.DateField()

    def __str__(self) -> str:
        return str(self.title)
