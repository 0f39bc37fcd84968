"""Put the first books on the shelves."""

from django.db import migrations

BOOKS = """
Jane Austen | Emma | 1815 | 9.90
Jane Austen | Mansfield Park | 1814 | 9.90
Jane Austen | Persuasion | 1817 | 8.50
Jane Austen | Pride and Prejudice | 1813 | 8.90
Jane Austen | Sense and Sensibility | 1811 | 8.90
Honoré de Balzac | Father Goriot | 1835 | 10.50
Honoré de Balzac | Lost Illusions | 1843 | 14.00
Anne Brontë | The Tenant of Wildfell Hall | 1848 | 9.50
Charlotte Brontë | Jane Eyre | 1847 | 9.90
Charlotte Brontë | Villette | 1853 | 11.00
Emily Brontë | Wuthering Heights | 1847 | 8.90
Lewis Carroll | Alice’s Adventures in Wonderland | 1865 | 7.50
Lewis Carroll | Through the Looking-Glass | 1871 | 7.50
Miguel de Cervantes | Don Quixote | 1605 | 19.00
Wilkie Collins | The Moonstone | 1868 | 10.90
Wilkie Collins | The Woman in White | 1860 | 10.90
Joseph Conrad | Heart of Darkness | 1899 | 6.90
Joseph Conrad | Lord Jim | 1900 | 9.90
Charles Dickens | A Tale of Two Cities | 1859 | 9.50
Charles Dickens | Bleak House | 1853 | 13.50
Charles Dickens | David Copperfield | 1850 | 13.50
Charles Dickens | Great Expectations | 1861 | 9.90
Fyodor Dostoevsky | Crime and Punishment | 1866 | 13.00
Fyodor Dostoevsky | The Brothers Karamazov | 1880 | 16.00
Fyodor Dostoevsky | The Idiot | 1869 | 14.50
Arthur Conan Doyle | A Study in Scarlet | 1887 | 6.50
Arthur Conan Doyle | The Hound of the Baskervilles | 1902 | 7.90
Alexandre Dumas | The Count of Monte Cristo | 1846 | 18.50
Alexandre Dumas | The Three Musketeers | 1844 | 13.90
George Eliot | Middlemarch | 1872 | 14.50
George Eliot | Silas Marner | 1861 | 7.90
George Eliot | The Mill on the Floss | 1860 | 10.50
Gustave Flaubert | Madame Bovary | 1857 | 10.00
Gustave Flaubert | Sentimental Education | 1869 | 11.50
Elizabeth Gaskell | Cranford | 1853 | 7.90
Elizabeth Gaskell | North and South | 1855 | 10.50
Nikolai Gogol | Dead Souls | 1842 | 11.00
Thomas Hardy | Far from the Madding Crowd | 1874 | 9.90
Thomas Hardy | Tess of the d’Urbervilles | 1891 | 9.90
Nathaniel Hawthorne | The Scarlet Letter | 1850 | 8.50
Victor Hugo | Les Misérables | 1862 | 19.50
Victor Hugo | The Hunchback of Notre-Dame | 1831 | 12.00
Henry James | The Portrait of a Lady | 1881 | 12.50
Henry James | The Turn of the Screw | 1898 | 6.90
Herman Melville | Bartleby, the Scrivener | 1853 | 5.90
Herman Melville | Moby-Dick | 1851 | 13.50
Edgar Allan Poe | The Narrative of Arthur Gordon Pym | 1838 | 8.50
Mary Shelley | Frankenstein | 1818 | 8.50
Stendhal | The Charterhouse of Parma | 1839 | 12.90
Stendhal | The Red and the Black | 1830 | 12.50
Robert Louis Stevenson | Kidnapped | 1886 | 7.90
Robert Louis Stevenson | Treasure Island | 1883 | 7.90
Bram Stoker | Dracula | 1897 | 9.50
William Makepeace Thackeray | Vanity Fair | 1848 | 13.00
Leo Tolstoy | Anna Karenina | 1878 | 15.50
Leo Tolstoy | War and Peace | 1869 | 21.00
Ivan Turgenev | Fathers and Sons | 1862 | 9.50
Mark Twain | Adventures of Huckleberry Finn | 1884 | 8.90
Jules Verne | Around the World in Eighty Days | 1873 | 8.50
Jules Verne | Twenty Thousand Leagues Under the Sea | 1870 | 10.50
H. G. Wells | The Time Machine | 1895 | 6.90
H. G. Wells | The War of the Worlds | 1898 | 7.50
Oscar Wilde | The Picture of Dorian Gray | 1890 | 8.50
Émile Zola | Germinal | 1885 | 12.50
"""


def stock(apps, schema_editor):
    """Add the books to an empty shop."""
    Author = apps.get_model("shop", "Author")
    Book = apps.get_model("shop", "Book")
    for line in BOOKS.strip().splitlines():
        name, title, year, price = (part.strip() for part in line.split("|"))
        author, _ = Author.objects.get_or_create(name=name)
        Book.objects.create(author=author, title=title, year=int(year), price=price)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(stock, migrations.RunPython.noop)]
