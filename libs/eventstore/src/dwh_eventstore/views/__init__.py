"""Answers for people: lists of runs, one run, what followed from it, why something did not start."""

from dwh_eventstore.views.runs import list_runs, show_run, show_run_as_of
from dwh_eventstore.views.trace import trace
from dwh_eventstore.views.why import WhyAnswer, why

__all__ = ["WhyAnswer", "list_runs", "show_run", "show_run_as_of", "trace", "why"]
