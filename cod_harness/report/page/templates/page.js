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
    for (const tab of all("[role=tab]")) {
      const mine = tab.dataset.group === group;
      tab.setAttribute("aria-selected", mine);
      tab.tabIndex = mine ? 0 : -1;
      if (mine && scroll !== null) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (scroll) document.querySelector(".tabs").scrollIntoView({ behavior: "smooth" });
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
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const tabs = all("[role=tab]");
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      show(next.dataset.group);
      next.focus();
    });
  }
  for (const link of all("a.name")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      show(link.dataset.group, true);
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
  if (panels.length) show(panels[0].dataset.group, null);
  // The others are drawn when there is time, so that printing finds them; not where they are many.
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 60));
  const waiting = panels.slice(1, 12);
  const next = () => {
    const panel = waiting.shift();
    if (!panel) { document.body.dataset.ready = "all"; return; }
    draw(panel).catch(failed).finally(() => idle(next));
  };
  if (panels.length) draw(panels[0]).finally(() => { document.body.dataset.ready = "first"; idle(next); });
})();
