// The lobby: what is said in any room, as server-sent events.
const said = document.getElementById("said");
const SHOWN = 20;

new EventSource(said.dataset.events).addEventListener("message", (event) => {
  const message = JSON.parse(event.data);
  const line = document.createElement("li");
  const room = document.createElement("a");
  room.href = `room/${message.room}/`;
  room.textContent = message.room;
  line.append(room, ` ${message.name}: ${message.text}`);
  said.prepend(line);
  while (said.children.length > SHOWN) said.lastChild.remove();
});
