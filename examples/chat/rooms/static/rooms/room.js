// A room: what is said goes out and comes in over one WebSocket, opened anew when it breaks.
const said = document.getElementById("said");
const say = document.getElementById("say");
const state = say.querySelector("output");
const RETRY_MS = 1000;
let socket;

function show(message) {
  const line = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = message.name;
  line.append(name, " ", message.text);
  said.append(line);
  line.scrollIntoView();
}

function connect() {
  socket = new WebSocket(location.href.replace(/^http/, "ws"));
  socket.addEventListener("open", () => { state.textContent = ""; });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.error) state.textContent = message.error.join(" ");
    else show(message);
  });
  socket.addEventListener("close", () => {
    state.textContent = "Connecting …";
    setTimeout(connect, RETRY_MS);
  });
}

say.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ name: say.elements.name.value, text: say.elements.text.value }));
  localStorage.setItem("name", say.elements.name.value);
  say.elements.text.value = "";
});

say.elements.name.value = localStorage.getItem("name") ?? "";
connect();
