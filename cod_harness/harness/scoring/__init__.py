"""Every repeat of a question scored by the task's own filters and metrics."""
