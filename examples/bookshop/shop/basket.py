"""The basket: which books, and how many, kept in the visitor's session."""

from dataclasses import dataclass
from decimal import Decimal

from shop.models import Book


@dataclass(frozen=True)
class Line:
    """One row of the basket."""

    book: Book
    count: int

    @property
    def price(self) -> Decimal:
        """Return the price of all copies."""
        return self.book.price * self.count


class Basket:
    """The basket of one session."""

    def __init__(self, session):
        self._session = session
        self._counts = session.get("basket", {})  # JSON keeps keys as strings

    def add(self, book, count=1):
        """Change a book's count; none left takes it out."""
        key = str(book.pk)
        self._counts[key] = max(0, self._counts.get(key, 0) + count)
        if not self._counts[key]:
            del self._counts[key]
        self._session["basket"] = self._counts

    def lines(self):
        """Return the rows, by title; a book that has left the shop has none."""
        books = Book.objects.select_related("author").filter(pk__in=self._counts)
        return [Line(book, self._counts[str(book.pk)]) for book in books]
