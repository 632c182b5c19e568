// What the daemon does, as it happens. Everything that comes from it is put in as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const OVER = ["SUCCESS", "FAILURE", "TIMEOUT", "REVOKED", "REJECTED"];
let token = sessionStorage.getItem("token");
let project = sessionStorage.getItem("project") || "";
let stop = new AbortController(); // of what the view that is shown has going on

// ---- The daemon ----

class Refused extends Error {}

async function ask(method, parameters = {}, signal = stop.signal) {
  const answer = await fetch("api/v1/" + method, {
    method: "POST", signal, cache: "no-store",
    headers: { "Authorization": "Bearer " + token, "Content-Type": "application/json" },
    body: JSON.stringify(parameters),
  });
  const body = await answer.json();
  if (answer.status === 401) signOut();
  if (!answer.ok) throw new Refused(body.error.message);
  return body;
}

const inProject = (parameters = {}) => (project ? { project, ...parameters } : parameters);

const wait = (seconds, signal) => new Promise((done) => {
  const timer = setTimeout(done, seconds * 1000);
  signal.addEventListener("abort", () => { clearTimeout(timer); done(); });
});

// Follows a stream for as long as the view is shown; where it breaks off, it goes on behind the last event.
async function follow(method, parameters, told) {
  const signal = stop.signal;
  let last = "";
  while (!signal.aborted) {
    try {
      const headers = { "Authorization": "Bearer " + token, "Content-Type": "application/json",
        "Accept": "text/event-stream" };
      if (last) headers["Last-Event-ID"] = last;
      const answer = await fetch("api/v1/" + method, { method: "POST", signal, headers, cache: "no-store",
        body: JSON.stringify(parameters) });
      if (answer.status === 401) return signOut();
      if (!answer.ok) throw new Refused((await answer.json()).error.message);
      say("");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        const events = text.split("\n\n");
        text = events.pop();
        for (const event of events) {
          const fields = {};
          for (const line of event.split("\n")) {
            const at = line.indexOf(": ");
            if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
          }
          if (fields.id) last = fields.id;
          if (fields.data) told(JSON.parse(fields.data), fields.event);
          if (fields.event === "end" || fields.event === "error") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) return say(error.message);
      say("The daemon does not answer; trying again.");
    }
    await wait(2, signal);
  }
}

// ---- What is shown ----

function say(text) {
  if ($("notice").textContent !== text) $("notice").textContent = text;
}

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function table(label, columns, rows, empty) {
  if (!rows.length) return make("p", { className: "soft" }, empty);
  return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label },
    make("table", {},
      make("thead", {}, make("tr", {}, ...columns.map(([title, kind]) =>
        make("th", { scope: "col", className: kind || "" }, title)))),
      make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell, i) =>
        make("td", { className: columns[i][1] || "" }, cell ?? "")))))));
}

const cards = (pairs) => make("dl", { className: "cards" }, ...pairs.map(([name, value]) =>
  make("div", {}, make("dt", {}, name), make("dd", {}, String(value ?? "–")))));
const percent = (value) => (value === undefined ? "–" : (value * 100).toFixed(1) + " %");
const dollars = (value) => (value === undefined ? "–" : "$" + value);
const date = (text) => (text ? new Date(text).toLocaleString() : "");
const bytes = (n) => (n < 1e6 ? (n / 1e3).toFixed(0) + " kB" : n < 1e9 ? (n / 1e6).toFixed(1) + " MB" : (n / 1e9).toFixed(1) + " GB");
const tone = (status) => (status === "SUCCESS" ? "good" : OVER.includes(status) ? "bad" : "");

function rate(proportion) {
  if (!proportion || proportion.value === undefined) return make("span", { className: "soft" }, "–");
  return make("span", {}, make("meter", { min: 0, max: 1, value: proportion.value, "aria-label": percent(proportion.value) }),
    " " + percent(proportion.value) + " ",
    make("span", { className: "soft wide" }, `${percent(proportion.low)} to ${percent(proportion.high)}, ${proportion.n_scored} of ${proportion.n_total}`));
}

function act(label, name, work) {
  const button = make("button", { type: "button", "aria-label": `${label} ${name}` }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try { await work(); say(""); } catch (error) { if (!stop.signal.aborted) say(error.message); }
    button.disabled = false;
  });
  return button;
}

// ---- Tasks ----

async function showTasks(view) {
  const tasks = new Map();
  const place = make("div", {});
  let due = 0;
  view.append(make("h2", {}, "Tasks"), place);

  const row = (task) => {
    const progress = task.progress || {};
    const done = progress.percent_complete ?? (task.status === "SUCCESS" ? 100 : 0);
    const name = `task ${task.id}`;
    const steer = (method) => async () => take((await ask(method, { id: task.id })).task);
    const over = OVER.includes(task.status);
    const actions = make("span", {});
    if (!over) {
      actions.append(act("Cancel", name, steer("CancelTask")));
      actions.append(task.hold === "user" ? act("Resume", name, steer("ResumeTask")) : act("Pause", name, steer("PauseTask")));
    }
    return [String(task.id),
      make("span", {}, task.experiment_id ? make("a", { href: "#experiment/" + task.experiment_id }, task.name) : task.name,
        " ", make("span", { className: "soft wide" }, task.kind)),
      make("span", { className: tone(task.status) }, task.hold ? `${task.status}, held: ${task.hold}` : task.status),
      make("span", {}, make("progress", { max: 100, value: done, "aria-label": `${name}: ${done.toFixed(0)} %` }), ` ${done.toFixed(0)} %`),
      progress.total_responses ? `${progress.responses_generated} / ${progress.total_responses}` : "",
      progress.failed ? make("span", { className: "bad" }, String(progress.failed)) : "0",
      dollars(progress.cost), actions];
  };
  const draw = () => {
    due = 0;
    const focused = document.activeElement && place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const list = [...tasks.values()].sort((a, b) => b.id - a.id).slice(0, 100);
    place.replaceChildren(table("Tasks", [["ID", "number wide"], ["Name"], ["State"], ["Progress"], ["Answers", "number wide"], ["Failed", "number wide"], ["Cost", "number wide"], ["Actions"]],
      list.map(row), "No task yet: elluminate run FILE"));
    if (focused) for (const each of place.querySelectorAll("[aria-label]")) if (each.getAttribute("aria-label") === focused) each.focus();
  };
  const soon = () => { due = due || requestAnimationFrame(draw); };
  function take(task) {
    tasks.set(task.id, { ...tasks.get(task.id), ...task });
    soon();
  }

  for (const task of (await ask("ListTasks", inProject({ limit: 50 }))).items) take(task);
  draw();
  await follow("Monitor", { min_interval_seconds: 0.25 }, ({ event, task }) => {
    if (task && (!project || task.project === project)) take(task);
    if (event && tasks.has(event.task_id)) {
      const { task_id, at, logs_delta, tool_calls, ...change } = event;
      take({ hold: undefined, ...change, id: task_id });
    }
  });
}

// ---- Experiments ----

async function showExperiments(view) {
  const chosen = new Set();
  const { items } = await ask("ListExperiments", inProject({ limit: 100 }));
  const compare = make("button", { type: "button", disabled: true }, "Compare");
  compare.addEventListener("click", () => { location.hash = "compare/" + [...chosen].join(","); });
  const choose = (experiment) => {
    const box = make("input", { type: "checkbox", "aria-label": "Compare " + experiment.name });
    box.addEventListener("change", () => {
      box.checked ? chosen.add(experiment.id) : chosen.delete(experiment.id);
      compare.disabled = chosen.size < 2 || chosen.size > 10;
    });
    return box;
  };
  view.append(make("h2", {}, "Experiments"), make("p", {}, compare, make("span", { className: "soft" }, " choose two or more")),
    table("Experiments", [["Choose"], ["ID", "number wide"], ["Name"], ["Model", "wide"], ["Met all criteria"], ["Cost", "number wide"], ["Made", "wide"]],
      items.map((each) => [choose(each), String(each.id), make("a", { href: "#experiment/" + each.id }, each.name),
        each.model ? each.model.llm_model_name : "", rate(each.results && each.results.success_rate),
        dollars(each.results && each.results.cost), date(each.created_at)]), "No experiment yet: elluminate run FILE"));
}

function showResults(results) {
  return make("div", {},
    cards([["Responses", results.responses], ["Failed", results.failed_responses], ["Met all criteria", percent(results.success_rate.value)],
      ["Mean of all ratings", percent(results.mean_all_ratings.yes)], ["Seconds, median", results.duration_seconds.p50?.toFixed(2)],
      ["Tokens in", results.total_input_tokens], ["Tokens out", results.total_output_tokens], ["Cost", dollars(results.cost)]]),
    results.simulated ? make("p", { className: "warn" }, "Simulated: no model was asked.") : null,
    table("Criteria", [["Criterion"], ["Yes"]], (results.criteria || []).map((each) => [each.criterion, rate(each.yes)]), "No criteria."));
}

function showCase(response) {
  const verdicts = response.ratings.map((each) => each.rating || "–").join(" ");
  const label = `Row ${response.template_variables.id}, epoch ${response.epoch}: `;
  return make("details", { className: "case" },
    make("summary", {}, label, make("span", { className: response.error ? "bad" : "soft" },
      response.error ? response.error.message : verdicts)),
    make("pre", {}, JSON.stringify(response.template_variables.input_values, null, 1)),
    response.response_text === undefined ? null : make("pre", {}, response.response_text),
    table("Verdicts", [["Criterion"], ["Verdict"], ["Why"]], response.ratings.map((each) => [each.criterion.criterion_str,
      make("span", { className: each.rating === "YES" ? "good" : "bad" }, each.rating || (each.error ? each.error.message : "–")),
      each.reasoning || ""]), "No verdicts."),
    response.annotation ? make("p", {}, response.annotation) : null);
}

async function showExperiment(view, id) {
  const reference = { experiment: { id: Number(id) } }, signal = stop.signal;
  let { experiment } = await ask("GetExperiment", reference);
  const results = make("div", {}), live = make("div", { "aria-live": "polite" }), cases = make("div", {});
  const draw = () => results.replaceChildren(experiment.results ? showResults(experiment.results) : make("p", { className: "soft" }, "No results yet."));
  let cursor;
  const more = act("More cases", experiment.name, async () => {
    const page = await ask("ListResponses", { ...reference, limit: 20, ...(cursor ? { cursor } : {}) });
    cursor = page.next_cursor;
    cases.append(...page.items.map(showCase));
    if (!cases.childElementCount) cases.append(make("p", { className: "soft" }, "No cases yet."));
    more.hidden = !cursor;
  });
  view.append(make("h2", {}, experiment.name), make("p", { className: "soft" }, experiment.description || ""),
    cards([["Model", experiment.model && experiment.model.llm_model_name], ["Judge", experiment.rating_model && experiment.rating_model.llm_model_name],
      ["Cases", experiment.total_cases], ["Epochs", experiment.n_epochs]]),
    live, results, make("h3", {}, "Cases"), cases, more);
  draw();
  more.click();
  if (!experiment.task_id) return;
  let wasOver;
  await follow("WatchTask", { id: experiment.task_id }, ({ event, task }) => {
    const now = event || task;
    wasOver ??= OVER.includes(now.status);
    const done = now.progress ? now.progress.percent_complete : 0;
    live.replaceChildren(make("p", { className: tone(now.status) }, `Task ${experiment.task_id}: ${now.status} `,
      make("progress", { max: 100, value: done, "aria-label": `${done.toFixed(0)} %` })));
  });
  if (signal.aborted || wasOver) return;
  experiment = (await ask("GetExperiment", reference)).experiment;
  draw();
  cases.replaceChildren();
  cursor = undefined;
  more.click();
}

async function showComparison(view, ids) {
  const experiments = ids.split(",").map((id) => ({ id: Number(id) }));
  const all = await ask("CompareExperiments", { experiments });
  const columns = [["Criterion"], ...all.experiments.map((each) => [each.name])];
  const cells = (rates) => rates.map((each) => make("span", {}, rate(each.yes),
    each.difference === undefined ? "" : make("span", { className: each.difference < 0 ? "bad" : "good" },
      ` ${each.difference < 0 ? "−" : "+"}${percent(Math.abs(each.difference))}`)));
  view.append(make("h2", {}, "Comparison"), table("Comparison", columns, [["Met all criteria", ...cells(all.success_rate)],
    ...all.criteria.map((each) => [each.criterion, ...cells(each.rates)])], ""));
  const { items } = await ask("ListComparedCases", { experiments, changed: true, limit: 20 });
  view.append(make("h3", {}, "Cases that changed"), ...(items.length ? items.map((each) => make("details", { className: "case" },
    make("summary", {}, JSON.stringify(each.template_variables.input_values)),
    ...each.responses.map((response, i) => make("div", {}, make("h3", {}, all.experiments[i].name),
      make("pre", {}, response.response_text ?? (response.error ? response.error.message : "–")),
      make("p", { className: "soft" }, response.verdicts.map((verdict) => verdict.rating || "–").join(" ")))))) :
    [make("p", { className: "soft" }, "None.")]));
}

// ---- Daemon and cost ----

async function showDaemon(view) {
  const place = make("div", {}), signal = stop.signal;
  view.append(make("h2", {}, "Daemon"), place);
  while (!signal.aborted) {
    const { queue, workers, endpoints, storage, front, versions, uptime_seconds } = await ask("GetStatus");
    place.replaceChildren(
      cards([["Waiting", `${queue.pending} / ${queue.max_pending}`], ["Running", `${queue.started} / ${queue.max_running}`], ["On hold", queue.on_hold],
        ["Cases at work", workers.reduce((sum, each) => sum + each.cases, 0)], ["Connections", front.connections], ["Watchers", front.watchers],
        ["Database", bytes(storage.database_bytes)], ["Free", bytes(storage.free_bytes)], ["Up", `${(uptime_seconds / 3600).toFixed(1)} h`], ["Version", versions.daemon]]),
      storage.trouble ? make("p", { className: "bad" }, storage.trouble) : "",
      queue.draining ? make("p", { className: "warn" }, "Drained: no task is started.") : "",
      make("h3", {}, "Endpoints"),
      table("Endpoints", [["Endpoint"], ["Model"], ["In flight", "number"], ["Waiting", "number"], ["Calls", "number"], ["Retries", "number wide"], ["Errors", "number"], ["Rate left", "number wide"], ["Now"]],
        endpoints.map((each) => [each.origin, each.llm_model_name, `${each.in_flight} / ${each.working_concurrency}`, each.waiting, each.calls, each.retries,
          each.errors, [each.requests_left, each.tokens_left].filter((n) => n !== undefined).join(" / ") || "–",
          make("span", { className: each.breaker === "closed" ? "" : "bad" }, each.waits_for || each.breaker)].map((cell) => (cell instanceof Node ? cell : String(cell)))),
        "No model was asked yet."));
    await wait(3, signal);
  }
}

async function showCost(view) {
  const { items } = await ask("ListCosts", inProject({ by: "day,model", limit: 200 }));
  view.append(make("h2", {}, "Cost"), table("Cost", [["Day"], ["Model"], ["Calls", "number"], ["Tokens in", "number wide"], ["Tokens out", "number wide"], ["Cost", "number"]],
    items.map((each) => [each.day || "", each.model || "", String(each.calls), String(each.input_tokens), String(each.output_tokens), dollars(each.cost)]), "Nothing was spent."));
}

// ---- Going about ----

const views = { tasks: showTasks, experiments: showExperiments, experiment: showExperiment, compare: showComparison, daemon: showDaemon, cost: showCost };

async function show() {
  stop.abort();
  stop = new AbortController();
  const mine = stop;
  const [name, argument] = (location.hash.slice(1) || "tasks").split("/");
  const section = name === "experiment" || name === "compare" ? "experiments" : name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === "#" + section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const view = make("div", { id: "view" });
  $("view").replaceWith(view);
  say("");
  if (!token) return;
  try { await (views[name] || showTasks)(view, argument); } catch (error) {
    if (!mine.signal.aborted) say(error instanceof Refused ? error.message : "The daemon does not answer.");
  }
}

function signOut() {
  sessionStorage.removeItem("token");
  token = null;
  stop.abort();
  $("login").hidden = false;
  $("project-label").hidden = true;
  $("view").replaceChildren();
  say("The token is not known, or over.");
}

async function signIn() {
  $("login").hidden = true;
  try {
    const { items } = await ask("ListProjects", {}, undefined);
    $("project").replaceChildren(...items.reverse().map((each) => make("option", { value: each.name, selected: each.name === (project || "default") }, each.name)));
    $("project-label").hidden = items.length < 2;
  } catch (error) { /* a token for one project needs no choice */ }
  if (token) show();
}

$("project").addEventListener("change", () => {
  project = $("project").value;
  sessionStorage.setItem("project", project);
  show();
});
$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("token", token);
  $("token").value = "";
  signIn();
});
window.addEventListener("hashchange", () => { show(); $("main").focus(); });

// The command hands the token over behind the hash, which is sent to nobody.
const given = /^#token=([a-z0-9_]+)$/.exec(location.hash);
if (given) {
  token = given[1];
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname);
}
if (token) signIn(); else $("login").hidden = false;
