"""What was said."""

from django.db import models


class Message(models.Model):
    """Something that somebody said in a room."""

    room = models.SlugField()
    name = models.CharField(max_length=40)
    text = models.CharField(max_length=500)
    said = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["room", "id"])]

    def __str__(self):
        return f"{self.name}: {self.text}"

    def as_json(self):
        """Return what browsers are told."""
        return {"room": self.room, "name": self.name, "text": self.text, "said": self.said.isoformat()}
