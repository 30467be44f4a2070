// Lists the mails, shows the one named after `#` in the address, and asks for new ones while somebody looks.
"use strict";

const POLL_MILLISECONDS = 1500;
const LINK = /https?:\/\/[^\s<>"'()[\]{}]*[^\s<>"'()[\]{}.,;:!?]/g;
const $ = (id) => document.getElementById(id);
let mails = [];
let view = "html";

function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(text);
  return made;
}

function clock(instant) {
  const then = new Date(instant);
  const isToday = then.toDateString() === new Date().toDateString();
  return isToday ? then.toLocaleTimeString("en-GB") : then.toLocaleString("en-GB");
}

function chosen() {
  return mails.find((mail) => String(mail.id) === location.hash.slice(1));
}

function row(mail) {
  const link = element("a", "", { href: `#${mail.id}` });
  const top = element("span", "", { className: "top" });
  top.append(element("span", mail.to.join(", ")), element("time", clock(mail.received_at), { dateTime: mail.received_at }));
  link.append(top, element("strong", mail.subject || "(no subject)"));
  if (mail === chosen()) link.setAttribute("aria-current", "true");
  return link;
}

function linked(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    parts.push(text.slice(end, found.index));
    parts.push(element("a", found[0], { href: found[0], target: "_blank", rel: "noreferrer" }));
    end = found.index + found[0].length;
  }
  return [...parts, text.slice(end)];
}

function showView(mail) {
  const shown = !mail.html && (view === "html" || view === "phone") ? "text" : view;
  for (const tab of $("views").children) {
    tab.setAttribute("aria-selected", String(tab.dataset.view === shown));
    tab.disabled = !mail.html && (tab.dataset.view === "html" || tab.dataset.view === "phone");
  }
  const isPage = shown === "html" || shown === "phone";
  $("frame").hidden = !isPage;
  $("plain").hidden = isPage;
  $("frame").className = shown;
  if (isPage) {
    const page = `<base target="_blank">${mail.html}`;
    if ($("frame").srcdoc !== page) $("frame").srcdoc = page;
  } else {
    const text = shown === "text" ? mail.text : mail.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
    $("plain").replaceChildren(...linked(text));
  }
}

function render() {
  const mail = chosen();
  document.body.className = mail ? "reading" : mails.length ? "" : "none";
  $("count").textContent = mails.length || "";
  $("clear").disabled = !mails.length;
  $("list").replaceChildren(...mails.map(row));
  $("shown").hidden = !mail;
  $("empty").hidden = Boolean(mail);
  $("empty").firstElementChild.textContent = mails.length ? "Choose a mail" : "No mail yet";
  if (!mail) return;
  document.title = mail.subject || "Mail";
  $("subject").textContent = mail.subject || "(no subject)";
  $("from").textContent = (mail.headers.find(([name]) => name.toLowerCase() === "from") || ["", mail.from])[1];
  $("to").textContent = mail.to.join(", ");
  $("received").textContent = new Date(mail.received_at).toLocaleString("en-GB");
  showView(mail);
}

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch("/api/messages");
  const found = await answer.json();
  if (found.length === mails.length && found[0]?.id === mails[0]?.id) return;
  mails = found;
  render();
}

function keepRefreshing() {
  refresh().catch(() => {}).finally(() => setTimeout(keepRefreshing, POLL_MILLISECONDS));
}

$("clear").addEventListener("click", async () => {
  await fetch("/api/messages", { method: "DELETE" });
  location.hash = "";
  await refresh();
});
$("views").addEventListener("click", (event) => {
  view = event.target.dataset.view || view;
  render();
});
addEventListener("hashchange", render);
addEventListener("visibilitychange", () => refresh().catch(() => {}));
keepRefreshing();
