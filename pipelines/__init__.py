"""When and with what the assets run: definitions, jobs, schedules, sensors, resources and the verbs that need them."""
