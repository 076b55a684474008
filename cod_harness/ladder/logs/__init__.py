"""The harness's own files: results, and logs of samples."""
