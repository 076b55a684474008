"""What an evaluation says, as typed values: forecasts, backtests, ablations.

The JSON formats are these types, field for field: what is written, checked when read back, and
published as a schema is generated from them (`cod_harness.documents`).
"""
