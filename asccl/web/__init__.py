"""What the app and the study pages share as web servers: trusted hosts, body limits, rate limits, headers."""
