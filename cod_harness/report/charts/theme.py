"""Colours of the page and of its charts: named once, light and dark."""

from __future__ import annotations

from typing import Any

# name: (light, dark). In the page they are CSS variables, and charts name the variables: a change
# of theme redraws nothing, and paper is always light.
COLOURS = {
    "ink": ("#1c2430", "#e8ebf0"),
    "muted": ("#5b6675", "#9ba6b5"),
    "faint": ("#8d97a5", "#77828f"),
    "line": ("#e4e7eb", "#2c343f"),
    "page": ("#f7f7f4", "#12161c"),
    "card": ("#ffffff", "#1a2028"),
    "forecast": ("#2b5f92", "#78aede"),
    "forecast-soft": ("#dbe6f1", "#21384f"),
    "measured": ("#b5482a", "#f0906c"),
    "outside": ("#b3123f", "#ff7d9b"),
    "trend": ("#7a4fa3", "#bd9be0"),
    "clusters": ("#17736f", "#63c2bb"),
    "anchor": ("#62803a", "#a5c470"),
    "refused": ("#c18a2c", "#d9ad5b"),
    "outlier": ("#8f9aa8", "#78838f"),
    "zero": ("#c9ced6", "#414b57"),
    "ok": ("#23693f", "#76c796"),
    "ok-soft": ("#e1f0e6", "#1c3527"),
    "weak-soft": ("#f8edd8", "#3a2e17"),
    "weak": ("#8a5d10", "#e2b763"),
    "abstain-soft": ("#e9ebef", "#2a313b"),
}
CLASSES = {
    "predictable": ("predictable", "forecast"),
    "non_extrapolatable": ("not extrapolatable", "refused"),
    "outlier": ("no cluster", "outlier"),
    "zero": ("never solved", "zero"),
}
# The views that a forecast is made from.
VIEWS = {"trend": ("trend", "trend"), "clusters": ("clusters", "clusters")}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def variables(dark: bool) -> str:
    """The colours as CSS declarations."""
    return "".join(f"--{name}:{pair[dark]};" for name, pair in COLOURS.items())


def colour(name: str) -> str:
    """A colour as charts name it."""
    if name not in COLOURS:
        raise KeyError(name)
    return f"var(--{name})"


def concrete(spec: str, dark: bool = False) -> str:
    """A chart's JSON with colours in place of variables, for a picture that stands alone."""
    for name, pair in COLOURS.items():
        spec = spec.replace(f"var(--{name})", pair[dark])
    return spec


def config() -> dict[str, Any]:
    """The Vega-Lite configuration of every chart."""
    return {
        "background": "transparent",
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": colour("muted"),
            "titleColor": colour("muted"),
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 12,
            "gridColor": colour("line"),
            "domainColor": colour("line"),
            "tickColor": colour("line"),
            "titlePadding": 8,
        },
        "legend": {
            "labelColor": colour("muted"),
            "titleColor": colour("muted"),
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "orient": "top",
            "symbolStrokeWidth": 0,
        },
    }
