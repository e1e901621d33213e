// The review page: the queue, one cue at a time, votes by key. What it shows comes from /api/review.
"use strict";

const VERDICTS = { a: "accept", r: "reject", u: "unsure" };
const SHOWN = { accept: "agree", reject: "reject", unsure: "unsure" };
const by = (id) => document.getElementById(id);
const state = { items: [], at: -1, cue: null, asked: 0 };

async function ask(path, body) {
  const key = sessionStorage.getItem("key");
  const headers = key ? { "X-API-Key": key } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body && JSON.stringify(body) });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ detail: answer.statusText }));
    throw new Error(problem.detail);
  }
  return answer;
}

function say(text, isBad = false) {
  by("message").textContent = text;
  by("message").className = isBad ? "bad" : "";
}

// Every action of a person goes through here: what went wrong is told, never swallowed.
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(error.message, true);
  }
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const number = (value) => (Math.abs(value) < 1e-9 ? "0" : Number(value.toPrecision(4)).toString());
const clock = (ns) => new Date(ns / 1e6).toISOString().replace("T", " ").slice(0, 19);

async function loadQueue(keepOrder) {
  const found = await (await ask("/api/review/queue")).json();
  if (keepOrder) {
    // the order stays while somebody works through it; only the verdicts are new
    const verdicts = new Map(found.items.map((item) => [item.id, item.verdict]));
    for (const item of state.items) item.verdict = verdicts.get(item.id) ?? null;
  } else {
    state.items = found.items;
  }
  const { voted, cues, labelled, layering, disputed } = found.progress;
  by("bar").style.width = `${cues ? (100 * voted) / cues : 0}%`;
  by("progress").textContent = `${voted} of ${cues} voted; labels: ${layering} layering, ${labelled - layering} not, ${disputed} disputed`;
  const pairs = found.agreement.filter((pair) => pair.cues > 0);
  by("kappa").textContent = pairs
    .map((pair) => `${pair.first} and ${pair.second}: kappa ${pair.kappa === null ? "undefined" : pair.kappa.toFixed(2)} over ${pair.cues}`)
    .join("; ");
  by("reviewer").textContent = found.reviewer ? `as ${found.reviewer}` : "reading only: no key";
  by("key-form").hidden = Boolean(found.reviewer);
  showQueue();
}

function showQueue() {
  by("queue").replaceChildren(
    ...state.items.map((item, k) => {
      const row = element("li", undefined, k === state.at ? "now" : "");
      row.append(element("span", `${clock(item.ts).slice(5)} ${item.side}`), element("span", SHOWN[item.verdict] ?? "", item.verdict ?? ""));
      row.title = item.id;
      row.onclick = () => attempt(() => show(k));
      return row;
    }),
  );
  if (state.at >= 0) by("queue").children[state.at].scrollIntoView({ block: "nearest" });
}

async function show(at) {
  if (at < 0 || at >= state.items.length) return;
  state.at = at;
  say("");
  showQueue();
  by("note").value = "";
  await showCue();
  const next = state.items[at + 1];
  if (next) new Image().src = `/api/review/cues/${encodeURIComponent(next.id)}/picture.png`;
}

async function showCue() {
  const path = `/api/review/cues/${encodeURIComponent(state.items[state.at].id)}`;
  const asked = ++state.asked;
  by("picture").src = `${path}/picture.png`;
  const cue = await (await ask(path)).json();
  if (asked !== state.asked) return; // somebody moved on meanwhile
  state.cue = cue;
  by("title").textContent = `${cue.instrument}, ${cue.prices.length} ${cue.side} prices, last pull ${clock(cue.last_pull)} UTC`;
  by("reason").textContent = cue.reason;
  by("cue").hidden = by("features").hidden = false;
  by("features").querySelector("tbody").replaceChildren(...cue.features.map(featureRow));
  for (const button of document.querySelectorAll("[data-verdict]")) button.classList.toggle("chosen", button.dataset.verdict === cue.verdict);
  by("revealed").replaceChildren(...(cue.revealed ? revealed(cue) : [element("p", "Score and reasons are shown after your vote.", "caution")]));
}

function featureRow(feature) {
  const row = element("tr");
  row.title = `${feature.formula}; quartiles ${feature.quartiles.map(number).join(", ")}`;
  const unit = feature.unit === "1" ? "" : ` ${feature.unit}`;
  const gauge = element("span", undefined, "gauge");
  const mark = element("i");
  mark.style.left = `${feature.percentile * 0.76}px`;
  gauge.append(mark);
  const cell = element("td");
  cell.append(gauge, ` ${feature.percentile.toFixed(0)}`);
  row.append(element("td", feature.name), element("td", number(feature.value) + unit, "n"), cell);
  return row;
}

function revealed(cue) {
  const told = cue.revealed;
  const label = told.label && told.label.label !== null ? (told.label.label ? "layering" : "not layering") : "no label";
  const why = told.label && told.label.conflict ? "reviewers disagree" : told.label && told.label.tier;
  const list = element("ul");
  for (const one of told.contributions.slice(0, 5)) list.append(element("li", `${one.log_odds >= 0 ? "+" : ""}${one.log_odds.toFixed(2)}  ${one.feature}`));
  const change = told.counterfactuals[0];
  const line = change
    ? `Below the threshold if ${change.feature} were ${change.relation} ${number(change.bound)} instead of ${number(change.value)}.`
    : "No single feature would lower the score below the threshold.";
  const link = element("a", "Evidence");
  link.href = "#";
  link.onclick = (event) => {
    event.preventDefault();
    attempt(async () => {
      const page = await (await ask(`/api/review/cues/${encodeURIComponent(cue.id)}/evidence.html`)).blob();
      window.open(URL.createObjectURL(page));
    });
  };
  const score = `Score ${number(told.score)}, threshold ${number(told.threshold)} (${told.verdict}). Votes: ${told.votes.length}; label: ${label}${why ? ` (${why})` : ""}. `;
  const head = element("p", score);
  head.id = "score";
  head.append(link);
  return [head, element("small", "Largest contributions to the log-odds of the score:"), list, element("p", line)];
}

async function vote(verdict) {
  const item = state.items[state.at];
  await ask(`/api/review/cues/${encodeURIComponent(item.id)}/votes`, { verdict, note: by("note").value });
  await Promise.all([loadQueue(true), showCue()]);
  say(`${SHOWN[verdict]}: stored`);
}

async function undo() {
  const { cue_id } = await (await ask("/api/review/undo", {})).json();
  const at = state.items.findIndex((item) => item.id === cue_id);
  await loadQueue(true);
  if (at >= 0) await show(at);
  say(`vote on ${cue_id} taken back`);
}

function press(key) {
  if (state.at < 0) return;
  if (VERDICTS[key]) attempt(() => vote(VERDICTS[key]));
  else if (key === "z") attempt(undo);
  else if (key === "ArrowRight" || key === "ArrowDown") attempt(() => show(state.at + 1));
  else if (key === "ArrowLeft" || key === "ArrowUp") attempt(() => show(state.at - 1));
}

document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key.startsWith("Arrow")) event.preventDefault();
  if (!event.repeat || key.startsWith("Arrow")) press(key);
});
for (const button of document.querySelectorAll("[data-key]"))
  button.onclick = () => {
    button.blur(); // so that the next key is the page's
    press(button.dataset.key);
  };
by("note").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === "Escape") event.target.blur();
});
by("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", by("key").value.trim());
  by("key").value = "";
  by("key").blur(); // so that the next key is the page's
  attempt(start);
});
by("train").onclick = () =>
  attempt(async () => {
    const found = await (await ask("/api/ml/adaptive-model/train", {})).json();
    say(`request ${found.id} to train: ${found.state}`);
  });

async function start() {
  try {
    await loadQueue(false);
  } catch (error) {
    // a wrong key is forgotten, so that the page can be read again
    sessionStorage.removeItem("key");
    await loadQueue(false);
    throw error;
  }
  if (state.items.length) await show(0);
  else say("No cue is stored yet: materialize layering_cues.", true);
}

attempt(start);
