"""Forecasts, backtests and ablations as text for terminals and Markdown."""
