"""Forms of the stockroom."""

from django import forms

from stock.models import Movement


class MovementForm(forms.ModelForm):
    """A booking."""

    class Meta:
        model = Movement
        fields = ["quantity", "note"]
