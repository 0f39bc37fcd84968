// Shows another book every few seconds, as the server sends them.
const ticker = document.getElementById("ticker");
const link = ticker.querySelector("a");
const source = new EventSource(ticker.dataset.events);

source.addEventListener("book", (event) => {
  const book = JSON.parse(event.data);
  link.textContent = `${book.title}, by ${book.author}`;
  link.href = book.url;
  ticker.hidden = false;
});
addEventListener("pagehide", () => source.close());
