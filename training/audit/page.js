"use strict";
// A person's verdicts on the descriptions of this page. One document holds them all: it is kept
// in this browser after every change, saved as a file, and read back from either.

const FORMAT = "bemerc-audit-verdicts/1";
const VERDICTS = ["accurate", "partly", "wrong", "cannot tell"];
const PARTS = ["facial_expression", "body_language", "posture"];

/** Names a description: its utterance and its exact wording. */
function identity(entry) {
  const { corpus, split, dialogue, utterance } = entry.key;
  return JSON.stringify([corpus, split, dialogue, utterance, entry.description_sha256]);
}

/** An entry with no verdict yet. */
function blank(item) {
  const parts = PARTS.map((part) => [part, { verdict: "", note: "" }]);
  return {
    key: item.key,
    description_sha256: item.description_sha256,
    parts: Object.fromEntries(parts),
    label_shown: false,
    first: "",
    last: "",
  };
}

function isComplete(entry) {
  return PARTS.every((part) => entry.parts[part].verdict !== "");
}

/** Read a document back: entries in the order of the items, and how many were of other pages. */
function restore(saved, items) {
  if (saved?.format !== FORMAT || !Array.isArray(saved.verdicts)) {
    throw new Error("this is not a file of verdicts");
  }
  const text = (value) => (typeof value === "string" ? value : "");
  const found = new Map(saved.verdicts.map((entry) => [identity(entry), entry]));
  let taken = 0;
  const entries = items.map((item) => {
    const entry = blank(item);
    const old = found.get(identity(item));
    if (old === undefined) return entry;
    taken += 1;
    for (const part of PARTS) {
      const { verdict, note } = old.parts?.[part] ?? {};
      entry.parts[part] = { verdict: VERDICTS.includes(verdict) ? verdict : "", note: text(note) };
    }
    entry.label_shown = old.label_shown === true;
    entry.first = text(old.first);
    entry.last = text(old.last);
    return entry;
  });
  return { judge: text(saved.judge), entries, others: found.size - taken };
}

/** The document: what was judged at all, by whom, and when it was saved. */
function toDocument(audit, judge, entries, now) {
  const touched = entries.filter((entry) => entry.first !== "" || entry.label_shown);
  return { format: FORMAT, audit: audit.id, judge, saved: now, verdicts: touched };
}

function start() {
  const audit = JSON.parse(document.getElementById("audit").textContent);
  const storageKey = `bemerc-audit:${audit.id}`;
  const articles = [...document.querySelectorAll("article[data-item]")];
  const element = Object.fromEntries(
    ["judge", "progress", "count", "status", "next", "save", "load"].map((id) => [
      id,
      document.getElementById(id),
    ]),
  );
  let entries = audit.items.map(blank);

  const say = (message) => {
    element.status.textContent = message;
  };

  const current = () =>
    toDocument(audit, element.judge.value.trim(), entries, new Date().toISOString());

  function keep() {
    try {
      localStorage.setItem(storageKey, JSON.stringify(current()));
    } catch {
      say("This browser keeps nothing for pages from disk: save a file before you close it.");
    }
  }

  function showProgress() {
    const done = entries.filter(isComplete).length;
    element.progress.value = done;
    element.count.textContent = `${done} of ${entries.length} judged`;
    articles.forEach((article, place) => {
      article.classList.toggle("done", isComplete(entries[place]));
    });
  }

  function showAll() {
    articles.forEach((article, place) => {
      for (const part of PARTS) {
        const { verdict, note } = entries[place].parts[part];
        const field = article.querySelector(`fieldset[data-part="${part}"]`);
        for (const radio of field.querySelectorAll("input[type=radio]")) {
          radio.checked = radio.value === verdict;
        }
        field.querySelector("input[type=text]").value = note;
      }
    });
    showProgress();
  }

  function take(saved) {
    const { judge, entries: restored, others } = restore(saved, audit.items);
    entries = restored;
    element.judge.value = judge;
    showAll();
    return others;
  }

  function onInput(event) {
    const field = event.target.closest("fieldset[data-part]");
    if (field) {
      const entry = entries[articles.indexOf(event.target.closest("article"))];
      const said = entry.parts[field.dataset.part];
      said[event.target.type === "radio" ? "verdict" : "note"] = event.target.value;
      entry.last = new Date().toISOString();
      entry.first ||= entry.last;
      showProgress();
    }
    if (field || event.target === element.judge) keep();
  }

  function onLabel(event) {
    const place = articles.findIndex((article) => article.contains(event.target));
    // A label seen after judging cannot have led the judge.
    if (!event.target.open || isComplete(entries[place])) return;
    entries[place].label_shown = true;
    keep();
  }

  function goToNext() {
    const here = articles.findIndex((article) => article.contains(document.activeElement));
    const order = articles.map((_, step) => (here + 1 + step) % articles.length);
    const next = order.find((place) => !isComplete(entries[place]));
    if (next === undefined) {
      say("All are judged: save the file.");
      return;
    }
    articles[next].querySelector("h3").focus();
    articles[next].scrollIntoView();
  }

  function save() {
    if (element.judge.value.trim() === "") {
      say("Enter your name first: verdicts of several judges are compared.");
      element.judge.focus();
      return;
    }
    const file = new Blob([JSON.stringify(current(), null, 2)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `verdicts-${element.judge.value.trim().replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
    say(`Saved as ${link.download}.`);
  }

  async function load() {
    const [file] = element.load.files;
    element.load.value = ""; // so that the same file can be chosen again
    const started = entries.some((entry) => entry.first !== "");
    if (!file || (started && !confirm("Replace the verdicts on this page?"))) return;
    try {
      const others = take(JSON.parse(await file.text()));
      say(others ? `Loaded; ${others} are of descriptions not on this page.` : "Loaded.");
      keep();
    } catch (error) {
      say(`${file.name} was not loaded: ${error.message}.`);
    }
  }

  try {
    const kept = localStorage.getItem(storageKey);
    if (kept !== null) take(JSON.parse(kept));
  } catch {
    say("Earlier verdicts could not be read from this browser: load a saved file.");
  }
  showProgress();
  document.addEventListener("input", onInput);
  for (const label of document.querySelectorAll("details.label")) {
    label.addEventListener("toggle", onLabel);
  }
  element.next.addEventListener("click", goToNext);
  element.save.addEventListener("click", save);
  element.load.addEventListener("change", load);
}

if (typeof document !== "undefined") start();
