"""`python -m cod_harness` is `cod-harness`."""

from cod_harness.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
