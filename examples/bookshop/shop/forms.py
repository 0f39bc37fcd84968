"""Forms of the shop."""

from django.forms import ModelForm

from shop.models import Suggestion


class SuggestionForm(ModelForm):
    """A reader's suggestion."""

    class Meta:
        model = Suggestion
        fields = ["title", "reason", "picture"]
