"""The engine on ladders: what a forecast may see, forecasts, backtests, ablations."""
