"""The scripts run where the other programs are installed, not here."""

collect_ignore_glob = ["run_*.py"]
