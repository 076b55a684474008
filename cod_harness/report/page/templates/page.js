(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const config = JSON.parse(document.getElementById("chart-config").textContent);
  const packed = new Map(all("script.specs").map((s) => [s.dataset.group, s.textContent.trim()]));
  const opened = new Map();
  const views = new Map();

  async function specs(group) {
    if (!opened.has(group)) {
      const bytes = Uint8Array.from(atob(packed.get(group)), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      opened.set(group, new Response(stream).json());
    }
    return opened.get(group);
  }

  async function draw(panel) {
    if (panel.dataset.drawn) return;
    panel.dataset.drawn = "begun";
    const named = await specs(panel.dataset.group);
    const mine = {};
    views.set(panel.dataset.group, mine);
    for (const place of all(".chart", panel)) {
      const spec = named[place.dataset.chart];
      if (!spec) continue;
      const options = { config, renderer: "svg", actions: false, tooltip: { theme: "custom" } };
      mine[place.dataset.chart] = (await vegaEmbed(place, spec, options)).view;
    }
    for (const name of ["clusters", "questions"]) {
      if (mine[name]) mine[name].addEventListener("click", (_, item) => {
        const datum = item && item.datum && (item.datum.datum || item.datum);
        pick(panel, datum && datum.cluster >= 0 ? datum.cluster : null);
      });
    }
    panel.dataset.drawn = "done";
  }

  function pick(panel, cluster) {
    const mine = views.get(panel.dataset.group) || {};
    if (panel.dataset.picked === String(cluster)) cluster = null;
    panel.dataset.picked = String(cluster);
    for (const name of ["clusters", "questions"]) {
      if (mine[name]) mine[name].signal("picked", cluster).runAsync();
    }
    for (const button of all(".picks button", panel)) {
      button.setAttribute("aria-pressed", button.dataset.cluster === String(cluster));
    }
  }

  function show(group, scroll) {
    const panels = all(".panel");
    const chosen = panels.find((panel) => panel.dataset.group === group);
    if (!chosen) return;
    for (const panel of panels) {
      const away = panel !== chosen;
      panel.classList.toggle("away", away);
      panel.toggleAttribute("inert", away);
    }
    const menu = document.getElementById("menu");
    if (menu) menu.value = group;
    for (const tab of all("[role=tab]")) {
      const mine = tab.dataset.group === group;
      tab.setAttribute("aria-selected", mine);
      tab.tabIndex = mine ? 0 : -1;
      if (mine && scroll !== null) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (scroll) {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      document.querySelector(".tabs").scrollIntoView({ behavior: calm ? "auto" : "smooth" });
    }
    draw(chosen).catch(failed);
  }

  function failed(error) {
    console.error(error);
    for (const place of all(".chart:empty")) {
      place.textContent = "The charts need a browser of 2023 or newer.";
    }
  }

  for (const tab of all("[role=tab]")) {
    tab.addEventListener("click", () => show(tab.dataset.group));
    tab.addEventListener("keydown", (event) => {
      const tabs = all("[role=tab]");
      const at = tabs.indexOf(tab);
      const next = {
        ArrowRight: tabs[(at + 1) % tabs.length],
        ArrowLeft: tabs[(at + tabs.length - 1) % tabs.length],
        Home: tabs[0],
        End: tabs[tabs.length - 1],
      }[event.key];
      if (!next) return;
      event.preventDefault();
      show(next.dataset.group);
      next.focus();
    });
  }
  const menu = document.getElementById("menu");
  if (menu) menu.addEventListener("change", () => show(menu.value));
  for (const link of all(".name a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(null, "", link.hash);
      show(link.dataset.group, true);
    });
  }
  // A search opens the folds that hold what it finds, and closes them when it is emptied.
  for (const field of all("input.search")) {
    field.addEventListener("input", () => {
      const card = field.closest(".card");
      const asked = field.value.trim().toLowerCase();
      let count = 0;
      for (const row of all(".row[data-name]", card)) {
        row.hidden = !row.dataset.name.includes(asked);
        count += !row.hidden;
      }
      for (const fold of all("details.parts", card)) {
        const hits = all(".row[data-name]:not([hidden])", fold).length;
        fold.hidden = !hits;
        fold.open = asked !== "" && hits > 0;
      }
      card.querySelector(".found").textContent = asked ? `${count} found` : "";
    });
  }
  for (const button of all(".picks button")) {
    button.addEventListener("click", () =>
      pick(button.closest(".panel"), button.dataset.cluster === "null" ? null : Number(button.dataset.cluster)));
  }
  for (const button of all(".switch button")) {
    button.addEventListener("click", () => {
      const mine = views.get(button.closest(".panel").dataset.group) || {};
      for (const other of all("button", button.parentElement)) other.setAttribute("aria-pressed", other === button);
      if (mine.questions) mine.questions.signal("tint", button.dataset.tint).runAsync();
    });
  }
  const theme = document.getElementById("theme");
  if (theme) theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const panels = all(".panel");
  const named = decodeURIComponent(location.hash.slice(1));
  const opening = panels.find((panel) => panel.dataset.group === named) || panels[0];
  if (opening) show(opening.dataset.group, null);
  // The others are drawn when there is time, so that printing finds them; not where they are many.
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 60));
  const waiting = panels.filter((panel) => panel !== opening).slice(0, 11);
  const next = () => {
    const panel = waiting.shift();
    if (!panel) { document.body.dataset.ready = "all"; return; }
    draw(panel).catch(failed).finally(() => idle(next));
  };
  if (opening) draw(opening).finally(() => { document.body.dataset.ready = "first"; idle(next); });
})();
