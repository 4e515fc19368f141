"""The second stage of NED: a network trained on one person renders the face."""
