"""Rules under test are those of the project; `rules` comes from the plugin."""

pytest_plugins = ["firesuite.rules.plugin"]
