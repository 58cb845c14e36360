// Follows a tenant's calls: how they stand comes first, then every event in order and once. Who is cut
// off goes on after the last event it has; nothing is asked for twice, and nothing is missed.
"use strict";

// How long to wait before connecting again, in ms: at first, and at most.
const PAUSE = 250;
const PAUSE_MAX = 5000;
// Callwright gives a sign of life every 15 s; a line that is silent for longer is dead.
const SILENCE = 40000;
// Callwright's close code for events that are not kept any more: how things stand comes anew.
const GONE = 4410;

class Line {
  constructor(address, heard, state) {
    Object.assign(this, { address, heard, state, sequence: null, pause: PAUSE });
    this.connect();
  }

  async connect() {
    try {
      const answer = await fetch(this.address, { headers: { Accept: "application/json" } });
      if (answer.redirected) return location.reload();
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.problem);
      this.heard({ type: "listening", calls: told.listening });
      this.open(told);
    } catch {
      this.again();
    }
  }

  open({ url, token }) {
    const query = this.sequence === null ? "" : `?after=${this.sequence}`;
    const socket = new WebSocket(url + query, ["callwright.events.v1", `bearer.${token}`]);
    let watch;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => socket.close(), SILENCE);
    };
    socket.onopen = () => {
      alive();
      this.pause = PAUSE;
      this.state("live");
    };
    socket.onmessage = (message) => {
      alive();
      this.take(JSON.parse(message.data));
    };
    socket.onclose = ({ code }) => {
      clearTimeout(watch);
      if (code === GONE) this.sequence = null;
      this.again();
    };
  }

  take(told) {
    if (told.type === "over") return;
    // What came before is in what is shown already.
    const known = this.sequence !== null && told.sequence <= this.sequence;
    if (known && told.type !== "standing") return;
    this.sequence = told.sequence;
    if (told.type !== "heartbeat") this.heard(told);
  }

  again() {
    this.state("cut");
    setTimeout(() => this.connect(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, PAUSE_MAX);
  }
}

// What an event changes about a call, as Callwright's own standing has it.
const CHANGES = {
  "call.recovered": (call, { step }) => { call.step = step; },
  "call.step_entered": (call, { flow, step }) =>
    Object.assign(call, { flow, step, slot: null, queue: null, room: null, ringing: null }),
  "call.ringing": (call, { to }) => { call.ringing = to; },
  "call.answered": (call, { at }) => { call.answered ??= at; },
  "call.bridged": (call, { party }) => Object.assign(call, { with: party, ringing: null, held: [] }),
  "call.unbridged": (call) => Object.assign(call, { with: null, held: [] }),
  "call.held": (call, { side, on }) => {
    call.held = call.held.filter((held) => held !== side).concat(on ? [side] : []);
  },
  "call.parked": (call, { slot }) => { call.slot = slot; },
  "call.queued": (call, { queue }) => { call.queue = queue; },
  "room.entered": (call, { room, who }) => { if (who === "caller") call.room = room; },
  "room.left": (call, { who }) => { if (who === "caller") call.room = null; },
};

class Calls {
  constructor(table) {
    Object.assign(this, { table, rows: new Map(), listening: {} });
    this.body = table.tBodies[0];
    this.template = document.getElementById("call");
    this.body.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-order]");
      if (button) this.order(button);
    });
    setInterval(() => this.rows.forEach((row) => this.showTime(row)), 1000);
  }

  hear(told) {
    if (told.type === "listening") {
      this.listening = told.calls;
      this.rows.forEach((row) => this.show(row));
    } else if (told.type === "standing") {
      this.rows.forEach((_, call) => this.remove(call));
      told.calls.forEach((call) => this.add(call));
    } else if (told.type === "call.created") {
      this.add({ ...told, started: told.at, held: [] });
    } else if (told.type === "call.ended") {
      this.remove(told.call);
    } else if (CHANGES[told.type] && this.rows.has(told.call)) {
      const row = this.rows.get(told.call);
      CHANGES[told.type](row.call, told);
      if (!row.call.with) delete this.listening[told.call];
      this.show(row);
    }
    document.getElementById("count").textContent = this.rows.size;
    document.getElementById("empty").hidden = this.rows.size > 0;
  }

  add(call) {
    this.remove(call.call);
    const element = this.template.content.firstElementChild.cloneNode(true);
    const row = { call, element };
    element.dataset.call = call.call;
    element.querySelector(".name").textContent = call.caller_name || call.caller_number;
    element.querySelector(".number").textContent = `${call.caller_number} → ${call.dialed}`;
    this.rows.set(call.call, row);
    this.body.append(element);
    this.show(row);
    this.showTime(row);
  }

  remove(call) {
    this.rows.get(call)?.element.remove();
    this.rows.delete(call);
    delete this.listening[call];
  }

  show({ call, element }) {
    const [state, badge, detail] = words(call);
    element.dataset.state = state;
    element.querySelector(".badge").textContent = badge;
    element.querySelector(".detail").textContent = detail;
    const listen = element.querySelector(".listen");
    if (!listen) return;
    const mode = this.listening[call.call];
    listen.hidden = !call.with;
    element.dataset.mode = mode ?? "";
    for (const button of listen.querySelectorAll("button")) {
      if (button.dataset.order === "leave") button.hidden = !mode;
      else button.setAttribute("aria-pressed", String(button.dataset.order === mode));
    }
  }

  showTime({ call, element }) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(call.started)) / 1000));
    const time = element.querySelector("time");
    time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    time.dateTime = `PT${seconds}S`;
  }

  async order(button) {
    const call = button.closest("tr").dataset.call;
    const path = this.table.dataset.order.replace(/[0-]{36}/, call).replace("ORDER", button.dataset.order);
    const told = await send(path, this.listening[call] ? { listening: "1" } : {}, button);
    if (!told || !("mode" in told)) return;
    if (told.mode) this.listening[call] = told.mode;
    else delete this.listening[call];
    const row = this.rows.get(call);
    if (row) this.show(row);
  }
}

// How a call stands: a word for its looks, one for people, and more about it.
function words(call) {
  if (call.held.length) return ["held", "On hold", `with ${call.with}`];
  if (call.with) return ["talks", "Talks", `with ${call.with}`];
  if (call.ringing) return ["rings", "Rings", call.ringing];
  if (call.slot) return ["waits", "Parked", `in ${call.slot}`];
  if (call.room) return ["talks", "Room", call.room];
  if (call.queue) return ["waits", "Waits", `in line ${call.queue}`];
  if (!call.answered) return ["new", "New", call.step ?? ""];
  return ["flow", "In the flow", call.step ?? ""];
}

// Sends a form the way Django wants it; says what came of it, in words. None where nobody answered.
async function send(path, fields, button) {
  button.disabled = true;
  try {
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    const headers = { "X-CSRFToken": token, Accept: "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: new URLSearchParams(fields) });
    const told = await answer.json();
    say(told.said ?? told.problem, !answer.ok);
    return told;
  } catch {
    say("The server can't be reached.", true);
    return null;
  } finally {
    button.disabled = false;
  }
}

let fading;
function say(text, wrong) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.className = wrong ? "shown wrong" : "shown";
  clearTimeout(fading);
  fading = setTimeout(() => { toast.className = ""; }, 6000);
}

// Takes a part of the page anew, unless something in it is being heard.
async function refresh(part) {
  const playing = [...part.querySelectorAll("audio")].some((audio) => !audio.paused);
  if (playing) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  part.replaceChildren(...page.getElementById(part.id).childNodes);
}

function begin() {
  const address = document.body.dataset.follow;
  if (!address) return;
  const table = document.getElementById("calls");
  const calls = table && new Calls(table);
  const fresh = document.getElementById("fresh");
  const state = document.getElementById("line");
  let waiting;
  const heard = (told) => {
    calls?.hear(told);
    if (fresh && told.type === fresh.dataset.on) {
      clearTimeout(waiting);
      waiting = setTimeout(() => refresh(fresh), 150);
    }
    document.dispatchEvent(new CustomEvent("desk:shown", { detail: told }));
  };
  new Line(address, heard, (now) => {
    state.dataset.state = now;
    state.textContent = now === "live" ? "Live" : "Connecting again";
  });
  document.getElementById("place")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const told = await send(form.action, new FormData(form), form.querySelector("button"));
    if (told?.said) form.reset();
  });
}

begin();
