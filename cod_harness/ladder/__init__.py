"""What was measured, on which models: ladder files, pass rates and their store.

This room knows files and tables. It imports nothing of the engine, the report or lm-eval.
"""
