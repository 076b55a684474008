"""The capture as a plug-in of the harness: `lm-eval run --plugins cod_harness.plugin`.

Importing this module installs the capture for the rest of the process. It is configured by the
environment: COD_LADDER (the ladder file), COD_RUNG, COD_CHECKPOINT, COD_REPEATS, COD_METRIC
(`task=filter/metric`, separated by commas), COD_ALLOW_FRACTIONAL=1, COD_ALLOW_MISMATCH=1.

Results carry the `cod` key; files are written wherever the harness writes its own. Wrong settings
are an InputError at import; note that the harness only logs a plug-in that fails to import.
"""

from __future__ import annotations

import atexit
import os

from cod_harness.cli.outlook import Outlook
from cod_harness.harness.capture.capture import Capture
from cod_harness.harness.capture.flags import from_environment
from cod_harness.harness.capture.hooks import install

options = from_environment(os.environ)
capture = Capture(options, Outlook(options.allow_mismatch))
install(capture)


@atexit.register
def _finish() -> None:
    """The table of forecasts, under the harness's own; and what went wrong, if anything did."""
    capture.finish()
