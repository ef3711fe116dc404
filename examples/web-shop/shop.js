// The pages' side of the shop: the SDK for JavaScript v3 tells what a visitor does, from the browser.
import { PersonalizeEventsClient, PutEventsCommand } from "@aws-sdk/client-personalize-events";

const at = (id) => document.getElementById(id);
const asked = async (path) => (await fetch(path)).json();
const { events, products } = await asked("/settings.json");
const client = new PersonalizeEventsClient({
  endpoint: events.endpoint,
  region: events.region,
  credentials: { accessKeyId: events.accessKeyId, secretAccessKey: events.secretAccessKey },
});

// A visit has a session; who logs in keeps it, so what was done before belongs to the customer.
const session = sessionStorage.session ??= `visit-${crypto.randomUUID()}`;
const user = () => localStorage.user;
const cart = new Set(JSON.parse(sessionStorage.cart ?? "[]"));

async function tell(eventType, ...itemIds) {
  await client.send(new PutEventsCommand({
    trackingId: events.trackingId,
    sessionId: session,
    userId: user(),
    eventList: itemIds.map((itemId) => ({ eventType, itemId, sentAt: new Date() })),
  }));
  await forYou();
}

function list(place, items) {
  at(place).replaceChildren(...items.map((item) => {
    const entry = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#${item}`;
    link.textContent = products[item].title;
    entry.append(link);
    return entry;
  }));
}

async function forYou() {
  // The id of an anonymous visitor is that of the session.
  list("for-you", await asked(`/for-you?user=${encodeURIComponent(user() ?? session)}`));
}

function showCart() {
  sessionStorage.cart = JSON.stringify([...cart]);
  list("cart", [...cart]);
  at("buy").disabled = !cart.size;
}

async function show() {
  const item = location.hash.slice(1);
  at("product").hidden = !products[item];
  if (!products[item]) return;
  list("related", []);
  at("title").textContent = products[item].title;
  at("price").textContent = products[item].price.toFixed(2);
  await tell("view", item);
  list("related", await asked(`/related?item=${encodeURIComponent(item)}`));
}

at("add").onclick = async () => {
  const item = location.hash.slice(1);
  cart.add(item);
  showCart();
  await tell("cart", item);
};
at("buy").onclick = async () => {
  const bought = [...cart];
  cart.clear();
  showCart();
  await tell("purchase", ...bought);
};
at("login").onsubmit = async (event) => {
  event.preventDefault();
  localStorage.user = event.target.elements.name.value;
  at("who").textContent = user();
  // The next event carries session and customer, and so joins what was done before the log-in.
  await (products[location.hash.slice(1)] ? tell("view", location.hash.slice(1)) : forYou());
};
window.onhashchange = show;
at("who").textContent = user() ?? "a visitor";
list("everything", Object.keys(products));
showCart();
await forYou();
await show();
document.body.dataset.ready = "yes";
