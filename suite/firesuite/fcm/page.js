// The live view of the sink. Everything that comes from a message reaches the page as text (textContent, never markup).
"use strict";

const KEPT = 300; // cards on the page; the sink itself keeps 50,000 messages
const WAIT_SECONDS = 2; // a server that is asked to stop waits for its requests
const TARGET_KINDS = ["fid", "token", "topic", "condition"];

const at = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = String(text);
  return node;
}

// A field by its snake_case name, however the client wrote it.
function field(message, name) {
  if (!message) return undefined;
  const camel = name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  return message[name] !== undefined ? message[name] : message[camel];
}

function targetOf(message) {
  const kind = TARGET_KINDS.find((name) => message[name]);
  return { kind, value: kind ? message[kind] : "" };
}

function notificationOf(message) {
  const alert = message.apns && message.apns.payload && message.apns.payload.aps && message.apns.payload.aps.alert;
  return Object.assign(
    {},
    typeof alert === "string" ? { body: alert } : alert,
    message.webpush && message.webpush.notification,
    message.notification,
    message.android && message.android.notification,
  );
}

function collapseOf(message) {
  const headers = (message.apns && message.apns.headers) || {};
  const marks = {
    collapse_key: field(message.android, "collapse_key"),
    tag: message.android && message.android.notification && message.android.notification.tag,
    "apns-collapse-id": headers["apns-collapse-id"],
    "web tag": message.webpush && message.webpush.notification && message.webpush.notification.tag,
  };
  return Object.entries(marks).filter(([, value]) => value);
}

function picture(address) {
  if (!/^https?:\/\//i.test(String(address || ""))) return null;
  const image = element("img");
  image.alt = "";
  image.referrerPolicy = "no-referrer";
  image.addEventListener("error", () => image.replaceWith(element("small", "", `image: ${address}`)));
  image.src = address;
  return image;
}

function time(receivedAt) {
  return new Date(receivedAt).toLocaleTimeString([], { hour12: false });
}

function dataTable(data) {
  const table = element("table");
  for (const [key, value] of Object.entries(data || {})) {
    const row = table.insertRow();
    row.append(element("td", "", key), element("td", "", typeof value === "string" ? value : JSON.stringify(value)));
  }
  return table;
}

function card(item) {
  const { message } = item;
  const target = targetOf(message);
  const shown = notificationOf(message);
  const node = element("article", "card");
  const meta = element("div", "meta");
  meta.append(element("span", "", time(item.receivedAt)), element("span", "", target.kind));
  const device = target.kind === "fid" || target.kind === "token";
  const chip = element(device ? "button" : "span", "chip target", target.value);
  if (device) chip.addEventListener("click", () => choose(target.value));
  meta.append(chip);
  if (item.deliveredTo) meta.append(element("span", "", `reaches ${item.deliveredTo.length}`));
  for (const [name, value] of collapseOf(message)) meta.append(element("span", "chip collapse", `${name}: ${value}`));
  const title = shown.title || field(shown, "title_loc_key");
  const body = shown.body || field(shown, "body_loc_key");
  node.append(meta);
  node.append(element("div", "title", title || (body ? "" : "data message")));
  if (body) node.append(element("div", "body", body));
  const image = picture(shown.image);
  if (image) node.append(image);
  node.append(dataTable(message.data));
  const details = element("details");
  details.append(element("summary", "", item.name), element("pre", "", JSON.stringify(message, null, 2)));
  node.append(details);
  return node;
}

function shade(project, shown) {
  const node = element("div", "shade");
  const app = element("div", "app");
  const marks = [shown.channel, shown.tag && `tag ${shown.tag}`, shown.replaced && `replaced ${shown.replaced}`];
  app.append(element("span", "", [project, ...marks.filter(Boolean)].join(" · ")), element("span", "", time(shown.receivedAt)));
  node.append(app, element("b", "", shown.title), element("span", "", shown.body));
  const image = picture(shown.image);
  if (image) node.append(image);
  return node;
}

const state = { project: "", cursor: 0, items: [], generation: 0 };

async function get(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${response.status} ${path}`);
  return response.json();
}

const base = () => `/v1/projects/${encodeURIComponent(state.project)}`;

async function drawPhone() {
  const target = at("target").value.trim();
  const { project, generation } = state;
  at("clock").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  let shown;
  if (target) {
    const path = `${base()}/devices/${encodeURIComponent(target)}?platform=${at("platform").value}`;
    shown = (await get(path)).notifications;
  } else {
    shown = state.items.map((item) => ({ ...notificationOf(item.message), receivedAt: item.receivedAt }));
    shown = shown.filter((one) => one.title || one.body || one.image);
  }
  if (generation !== state.generation || target !== at("target").value.trim()) return;
  const nodes = shown.slice(-50).reverse().map((one) => shade(project, one));
  at("screen").replaceChildren(...(nodes.length ? nodes : [element("p", "empty", "No notifications")]));
}

function drawFeed(fresh) {
  const feed = at("feed");
  if (state.items.length === 0) feed.replaceChildren(element("p", "empty", "Nothing was sent yet."));
  else if (fresh.length) {
    if (feed.querySelector(".empty")) feed.replaceChildren();
    feed.prepend(...fresh.slice().reverse().map(card));
    while (feed.children.length > KEPT) feed.lastElementChild.remove();
  }
  at("count").textContent = state.items.length < KEPT ? String(state.items.length) : `The last ${KEPT}`;
  const targets = new Set(state.items.map((item) => targetOf(item.message)).filter((one) => one.kind !== "topic" && one.kind !== "condition").map((one) => one.value));
  at("targets").replaceChildren(...[...targets].slice(-100).map((value) => Object.assign(element("option"), { value })));
}

function restart() {
  state.generation += 1;
  state.items = [];
  state.cursor = -KEPT;
  at("feed").replaceChildren();
  drawFeed([]);
}

function choose(target) {
  at("target").value = target;
  drawPhone().catch(report);
}

function report(error) {
  at("state").textContent = `not connected: ${error.message}`;
}

async function refreshProjects() {
  const { projects } = await get("/v1/projects");
  if (projects.length && !projects.includes(state.project)) {
    state.project = projects[0];
    restart();
  }
  const options = projects.map((id) => Object.assign(element("option", "", id), { value: id, selected: id === state.project }));
  if (at("project").children.length !== options.length) at("project").replaceChildren(...options);
}

async function poll() {
  await refreshProjects();
  if (!state.project) {
    drawFeed([]);
    await drawPhone();
    at("state").textContent = "live";
    return pause(1000);
  }
  const { generation, cursor } = state;
  const started = Date.now();
  const wait = cursor < 0 ? 0 : WAIT_SECONDS;
  const answer = await get(`${base()}/messages?after=${cursor}&wait=${wait}`);
  if (generation !== state.generation) return undefined;
  at("state").textContent = "live";
  if (answer.cursor < cursor) return restart(); // the sink was restarted or the project forgotten
  const gone = state.items.length && answer.oldest > answer.cursor - answer.messages.length;
  if (gone) restart(); // the messages were cleared
  state.items = state.items.concat(answer.messages).slice(-KEPT);
  state.cursor = answer.cursor;
  drawFeed(answer.messages);
  if (answer.messages.length || gone || cursor < 0) await drawPhone();
  // An answer that came at once with nothing new means that other pages have the places of those who wait.
  if (!answer.messages.length && cursor >= 0 && Date.now() - started < 500) await pause(1000);
  return undefined;
}

async function run() {
  for (;;) {
    try {
      await poll();
    } catch (error) {
      report(error);
      await pause(1500);
    }
  }
}

at("project").addEventListener("change", () => {
  state.project = at("project").value;
  restart();
});
at("target").addEventListener("change", () => drawPhone().catch(report));
at("platform").addEventListener("change", () => drawPhone().catch(report));
at("clear").addEventListener("click", async () => {
  try {
    await fetch(`${base()}/messages`, { method: "DELETE" });
    restart();
    await drawPhone();
  } catch (error) {
    report(error);
  }
});
run();
