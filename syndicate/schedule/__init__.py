"""When things happen: slots that fire once, one leader among many, and the only place that knows APScheduler."""
