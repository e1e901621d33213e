"""Dagster definitions, resources, IO managers, jobs, schedules and sensors; setup of a data root."""
